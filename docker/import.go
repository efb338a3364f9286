package docker

import (
	"archive/tar"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// importTime is how long the engine may take for an image of one program.
const importTime = 2 * time.Minute

// ImportProgram makes the image ref from nothing but a static program, which
// runs with the given arguments. The image that had the name before is
// removed unless something uses it. host is as in [Options].
func ImportProgram(ctx context.Context, host, ref, program string, arguments ...string) error {
	if err := checkStatic(program); err != nil {
		return err
	}
	api, err := dial(host)
	if err != nil {
		return err
	}
	defer api.Close()
	e, doing := newEngine(api, defaultCallTimeout), "importing image "+ref
	if err := e.ready(ctx, doing); err != nil {
		return err
	}
	return e.callWithin(ctx, importTime, doing, func(ctx context.Context) error {
		before, _ := api.ImageInspect(ctx, ref)
		if err := importImage(ctx, api, ref, program, arguments); err != nil {
			return err
		}
		if before.ID != "" {
			_, _ = api.ImageRemove(ctx, before.ID, client.ImageRemoveOptions{}) // left if in use
		}
		return nil
	})
}

// RemoveImage takes the name ref off its image, and removes the image if it has
// no other name and nothing uses it. An unknown one is no error. host is as in
// [Options].
func RemoveImage(ctx context.Context, host, ref string) error {
	api, err := dial(host)
	if err != nil {
		return err
	}
	defer api.Close()
	return ignoreNotFound(newEngine(api, defaultCallTimeout).call(ctx, "removing image "+ref, func(ctx context.Context) error {
		_, err := api.ImageRemove(ctx, ref, client.ImageRemoveOptions{})
		return err
	}))
}

// checkStatic refuses a program that needs a dynamic linker, for there is none
// in the image and the kernel's words for that are "no such file".
func checkStatic(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("reading program %s: %w", program, err)
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			return &switcher.Error{
				Code: switcher.CodeFailed,
				What: "program " + program + " is dynamically linked and cannot run in an image of its own",
				Hint: "build it with CGO_ENABLED=0",
			}
		}
	}
	return nil
}

func importImage(ctx context.Context, api *client.Client, ref, program string, arguments []string) error {
	command, err := json.Marshal(append([]string{"/program"}, arguments...))
	if err != nil {
		return err
	}
	reader, writer := io.Pipe()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		writer.CloseWithError(pack(writer, program))
	}()
	defer func() {
		_ = reader.Close() // ends the packing, whatever has happened
		<-packed
	}()
	answer, err := api.ImageImport(ctx, client.ImageImportSource{Source: reader, SourceName: "-"}, ref,
		client.ImageImportOptions{Changes: []string{"CMD " + string(command)}})
	if err != nil {
		return err
	}
	defer answer.Close()
	return outcome(answer)
}

// outcome reads a stream of messages to its end and returns the failure in it.
func outcome(stream io.Reader) error {
	for messages := json.NewDecoder(stream); ; {
		var message jsonstream.Message
		err := messages.Decode(&message)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case message.Error != nil:
			return message.Error
		}
	}
}

// pack writes a root directory with the program in it.
func pack(w io.Writer, program string) error {
	file, err := os.Open(program)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	entries := []tar.Header{
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777},
		{Typeflag: tar.TypeReg, Name: "program", Mode: 0o755, Size: info.Size()},
	}
	for i := range entries {
		if err := archive.WriteHeader(&entries[i]); err != nil {
			return err
		}
	}
	if _, err := io.Copy(archive, file); err != nil {
		return err
	}
	return archive.Close()
}

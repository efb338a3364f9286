package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/browsertest"
	"sofiacall.com/bluegreen/internal/load"
)

// `make screenshots` takes the pictures of the README: real releases under
// real load, which therefore takes some minutes. Only names of this machine are
// replaced.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("BLUEGREEN_SCREENSHOTS")
	if folder == "" {
		t.Skip("BLUEGREEN_SCREENSHOTS names no folder: make screenshots does")
	}
	e := newTestEdge(t, "    switch: { bake: 10m }\n")
	e.App, e.Interval, e.WebSockets, e.Drain = "sofia-chat", "2s", "5m", "30s"
	e.configure()
	e.edit("internal.app.localhost", "next.chat.example.com", "app.localhost", "chat.example.com")
	address := e.withDoor(map[string]string{"maria": "operate"})
	e.start()
	e.must("deploy", "4f2a1c9")
	end := e.busy()
	defer end()
	time.Sleep(150 * time.Second) // of a chart of five minutes
	e.must("deploy", "8d03b7e")
	p := e.signedIn(address, "maria")
	take := func(name string, width, height int64, scheme string) {
		t.Helper()
		p.LookSharp(width, height, scheme)
		time.Sleep(1500 * time.Millisecond) // to settle
		browsertest.Eval[int](p, anonymous)
		picture := smaller(t, p.Screenshot(false))
		if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d KiB", name, len(picture)>>10)
	}
	p.Go(address + "/apps/sofia-chat/switch")
	p.Wait("h1", "Switch to Green")
	take("switch-confirm", 860, 760, "light")
	p.Type("#confirm", "8d03b7e")
	p.Click("#go")
	p.Wait("#slot-green .tag", "Live")
	time.Sleep(110 * time.Second)
	p.Go(address + "/apps/sofia-chat") // without the operation, which is over
	e.eventually("sampled", func(st admin.Status) bool { return st.Slots["green"].Usage != nil })
	take("light", 1240, 1190, "light")
	take("dark", 1240, 1190, "dark")
	take("phone", 390, 844, "light")
}

// busy keeps load on production that looks like that of a small product.
func (e *testEdge) busy() (end func()) {
	traffic := load.New(load.Options{
		Address: e.HTTPS, Host: "chat.example.com", RootCAs: e.roots(), Pause: 40 * time.Millisecond, TransferBytes: 8 << 10,
		Workers: map[load.Kind]int{load.Get: 2, load.Post: 1, load.H2Get: 3, load.H2Post: 1, load.WebSocket: 14},
	})
	ctx, cancel := context.WithCancel(e.t.Context())
	done := make(chan error, 1)
	go func() { done <- traffic.Run(ctx) }()
	return func() { cancel(); <-done }
}

// anonymous replaces what tells of the machine on which the picture is taken.
const anonymous = `(() => {
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let n = 0;
	while (walk.nextNode()) {
		const next = walk.currentNode.nodeValue.replace(/\b[a-z0-9_-]+@[a-zA-Z0-9_.-]+/g, "ci@web-1");
		if (next !== walk.currentNode.nodeValue) { walk.currentNode.nodeValue = next; n++; }
	}
	return n;
})()`

// smaller writes a picture with its 256 most frequent colours: pages have
// few, and the rest are shades at the edges of letters.
func smaller(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	bounds := full.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	var all []color.RGBA
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(string([]byte{a.R, a.G, a.B}), string([]byte{b.R, b.G, b.B}))
	})
	var palette color.Palette
	for _, c := range all[:min(256, len(all))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			index, known := nearest[c]
			if !known {
				index = uint8(palette.Index(c))
				nearest[c] = index
			}
			small.SetColorIndex(x, y, index)
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, small); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

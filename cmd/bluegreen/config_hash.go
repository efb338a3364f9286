package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

const (
	hashCost    = 12
	maxPassword = 72 // bytes; bcrypt looks at no more
)

func newConfigHashCommand(p *program) *cobra.Command {
	cost := hashCost
	cmd := &cobra.Command{
		Use:   "hash-password",
		Short: "Print the hash of a password for the configuration",
		Long: `Hash-password asks for a password, or reads the first line of standard input,
and prints its bcrypt hash. Write that in single quotes into the configuration:

  access: { basic: { maria: '$2a$12$…' } }
  admin:  { users: { maria: { password: '$2a$12$…', scope: operate } } }

The dollar signs of a hash begin no variable and need no doubling.`,
		Example: `  bluegreen config hash-password
  openssl rand -base64 18 | tee password.txt | bluegreen config hash-password`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cost < config.BcryptMinCost || cost > config.BcryptMaxCost {
				return usageError("", "the cost must be from %d to %d, is %d", config.BcryptMinCost, config.BcryptMaxCost, cost)
			}
			password, err := p.newPassword(cmd.Context())
			if err != nil {
				return err
			}
			hash, err := bcrypt.GenerateFromPassword(password, cost)
			if err != nil {
				return fmt.Errorf("hashing the password: %w", err)
			}
			if p.json {
				return p.printJSON(map[string]string{"hash": string(hash)})
			}
			p.stdout.printf("%s\n", hash)
			return nil
		},
	}
	cmd.Flags().IntVar(&cost, "cost", hashCost, "how much work a check is, 10 to 14; each step doubles it")
	return cmd
}

// newPassword asks for a password twice, or reads it from what is piped in.
func (p *program) newPassword(ctx context.Context) ([]byte, error) {
	file, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(p.stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the password: %w", err)
		}
		return checkPassword([]byte(strings.TrimRight(line, "\r\n")))
	}
	var given [2][]byte
	for i, prompt := range []string{"Password: ", "Once more: "} {
		p.stderr.printf("%s", prompt)
		var err error
		given[i], err = readUnseen(ctx, int(file.Fd()))
		p.stderr.printf("\n")
		if err != nil {
			return nil, err
		}
		if _, err := checkPassword(given[i]); err != nil {
			return nil, err
		}
	}
	if string(given[0]) != string(given[1]) {
		return nil, usageError("try again", "the two passwords differ")
	}
	return given[0], nil
}

func checkPassword(password []byte) ([]byte, error) {
	switch {
	case len(password) == 0:
		return nil, usageError("", "there is no password")
	case len(password) > maxPassword:
		return nil, usageError("", "the password has %d bytes, and bcrypt would look at the first %d only", len(password), maxPassword)
	}
	return password, nil
}

// readUnseen reads a line from a terminal that shows nothing of it. When ctx
// ends before, the terminal is left as it was.
func readUnseen(ctx context.Context, fd int) ([]byte, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("asking for the password: %w", err)
	}
	type answer struct {
		password []byte
		err      error
	}
	read := make(chan answer, 1)
	go func() { // ends with the process if nobody answers
		password, err := term.ReadPassword(fd)
		read <- answer{password, err}
	}()
	select {
	case a := <-read:
		if a.err != nil {
			return nil, fmt.Errorf("reading the password: %w", a.err)
		}
		return a.password, nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return nil, &switcher.Error{Code: switcher.CodeFailed, What: "interrupted"}
	}
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
)

func newConfigRootCommand(p *program) *cobra.Command {
	var asked string
	cmd := &cobra.Command{
		Use:   "ca-root",
		Short: "Print the root certificate of the edge's own CA",
		Long: `Ca-root prints, as PEM, the root certificate that clients must trust when the
configuration says issuer: internal. It is kept in the state directory and created
when there is none.`,
		Example: `  bluegreen config ca-root > root.pem
  curl --cacert root.pem https://app.localhost:8443/`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.printRoot(p.configPath(asked)) },
	}
	cmd.Flags().StringVar(&asked, "config", "", "the configuration file (default "+defaultConfig+")")
	return cmd
}

func (p *program) printRoot(path string) error {
	c, err := p.loadConfig(path)
	if err != nil {
		return err
	}
	if c.TLS.Issuer != edgetls.IssuerInternal {
		return &switcher.Error{
			Code: switcher.CodeRefused, What: fmt.Sprintf("there is no own CA: the issuer in %s is %s", path, c.TLS.Issuer),
			Hint: "only issuer: internal has a root of its own",
		}
	}
	root, err := edgetls.Root(c.State.Dir)
	if err != nil {
		return fmt.Errorf("reading the root certificate: %w", err)
	}
	if p.json {
		return p.printJSON(map[string]string{"root": string(root)})
	}
	_, err = p.stdout.Write(root)
	return err
}

// Command berth turns one Linux server and one delegated domain into a hosting provider: panel, REST API, authoritative
// DNS, HTTPS edge and certificates in one process.
//
// It owns flags, configuration, wiring and lifecycle, one file a subcommand, and must not know how anything works
// inside. Nothing here is meant to be called concurrently.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"
)

// Version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains; with the handler gone, a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], console{os.Stdin, os.Stdout, os.Stderr}); err != nil {
		var told exitStatus
		if errors.As(err, &told) {
			os.Exit(int(told))
		}
		fmt.Fprintln(os.Stderr, "berth:", err)
		os.Exit(1)
	}
}

// exitStatus ends the process with that status. All that there is to say has been printed.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// console is what a subcommand reads from and writes to.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the service."`
	Dev     devCommand     `cmd:"" help:"Try berth out on this machine: zone berth.localhost, unprivileged ports, an internal CA and a sample site."`
	User    userCommand    `cmd:"" help:"Manage accounts."`
	Token   tokenCommand   `cmd:"" help:"Manage API tokens."`
	Ready   readyCommand   `cmd:"" help:"Ask the service on this machine whether it is ready, for health checks."`
	Why     whyCommand     `cmd:"" help:"Say what does not work on this server, or of one site or host, why, and what would mend it. Exit status 0: nothing; 1: faults were found; 2: berth could not be asked."`
	Backup  backupCommand  `cmd:"" help:"Write everything that berth keeps to one file, beside the running service."`
	Restore restoreCommand `cmd:"" help:"Put what backup wrote into an empty data directory."`
	Static  staticCommand  `cmd:"" help:"Serve a directory's files; this runs inside the container of a static site."`
	Isolate isolateCommand `cmd:"" hidden:"" help:"Cut the instances' bridges off; berth runs this in a container of its own."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run(c console) error {
	_, err := fmt.Fprintln(c.out, version)
	return err
}

// errHelp ends a run that only had to print help.
var errHelp = errors.New("help was printed")

func run(ctx context.Context, args []string, c console) (err error) {
	// kong ends help by calling Exit; run returns instead, so that only main exits.
	defer func() {
		if r := recover(); r != nil {
			if r != errHelp {
				panic(r)
			}
			err = nil
		}
	}()
	parser, err := newParser(ctx, &commands{}, c)
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(args[1:], "--help")
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return explainUsage(err)
	}
	return parsed.Run()
}

// explainUsage adds where the right usage is told: at the command that was named.
func explainUsage(err error) error {
	var unopened *fs.PathError
	if errors.As(err, &unopened) {
		return fmt.Errorf("--config: %w", unopened)
	}
	command := "berth"
	if parse := (*kong.ParseError)(nil); errors.As(err, &parse) {
		for _, step := range parse.Context.Path {
			if step.Command != nil {
				command += " " + step.Command.Name
			}
		}
	}
	return fmt.Errorf("%w (%s --help shows what there is)", err, command)
}

func newParser(ctx context.Context, cli *commands, c console) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("berth"),
		kong.Description("One server, one domain: a hosting provider."),
		kong.Writers(c.out, c.err),
		kong.Exit(func(int) { panic(errHelp) }),
		kong.DefaultEnvars("BERTH"),
		kong.Vars{
			"devDataDir": devDataDir, "devHTTPPort": strconv.Itoa(devHTTPPort), "devHTTPSPort": strconv.Itoa(devHTTPSPort), "devDNSPort": strconv.Itoa(devDNSPort),
		},
		kong.Configuration(loadTOML),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"berth/panel/auth"
	"berth/sites"
	"berth/sites/backup"
	"berth/sites/sqlite"
)

type userCommand struct {
	Add      userAddCommand      `cmd:"" help:"Add an account; the password is read from the terminal or standard input."`
	Password userPasswordCommand `cmd:"" help:"Give an account a new password."`
	TwoStep  userTwoStepCommand  `cmd:"" name:"two-step-off" help:"Turn off an account's two-step login, for who has lost the phone and the recovery codes."`
}

// local is what a command line needs to change the store beside a running service.
type local struct {
	Config  kong.ConfigFlag `placeholder:"FILE" help:"TOML file of the service."`
	DataDir string          `default:"/var/lib/berth" placeholder:"DIR" help:"The service's data directory (${default})."`
}

// isNew reports whether no berth has used the data directory yet.
func (l local) isNew() bool {
	_, err := os.Stat(databasePath(l.DataDir))
	return errors.Is(err, fs.ErrNotExist)
}

// existing is with for what makes no sense in a new data directory, which is one that was mistyped or left out.
func (l local) existing(ctx context.Context, c console, fn func(*sites.Service) error) error {
	if l.isNew() {
		return fmt.Errorf("--data-dir %s holds no data of berth; give the directory of the service, or of the try-out, such as %s", l.DataDir, devDataDir)
	}
	return l.with(ctx, c, fn)
}

// with runs fn with a Service that has the store alone: no servers, no runtime.
func (l local) with(ctx context.Context, c console, fn func(*sites.Service) error) (err error) {
	log := quietLog(c)
	store, err := sqlite.Open(ctx, databasePath(l.DataDir), log)
	if err != nil {
		return explainDir(l.DataDir, err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	service, err := sites.New(sites.Config{Store: store, DataDir: l.DataDir, Logger: log})
	if err != nil {
		return err
	}
	return fn(service)
}

func databasePath(dataDir string) string { return filepath.Join(dataDir, backup.Database) }

type userAddCommand struct {
	local
	Name  string `arg:"" help:"Name of the account."`
	Admin bool   `env:"-" help:"Make it an admin."`
}

func (u userAddCommand) Run(ctx context.Context, c console) error {
	hash, err := readPassword(ctx, c, u.Name)
	if err != nil {
		return err
	}
	account := sites.NewAccount{Name: u.Name, Role: sites.RoleOwner, PasswordHash: hash, Quota: sites.DefaultQuota}
	if u.Admin {
		account.Role, account.Quota = sites.RoleAdmin, sites.Quota{}
	}
	where := "."
	if u.isNew() {
		where = " to a new data directory, " + u.DataDir + "."
	}
	return u.with(ctx, c, func(s *sites.Service) error {
		added, err := s.CreateAccount(ctx, sites.Operator, account)
		if err == nil {
			_, err = fmt.Fprintf(c.out, "Added %s %s%s\n", added.Role, added.Name, where)
		}
		return err
	})
}

type userPasswordCommand struct {
	local
	Name string `arg:"" help:"Name of the account."`
}

func (u userPasswordCommand) Run(ctx context.Context, c console) error {
	hash, err := readPassword(ctx, c, u.Name)
	if err != nil {
		return err
	}
	return u.existing(ctx, c, func(s *sites.Service) error {
		if err := s.SetPassword(ctx, sites.Operator, u.Name, hash); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "%s has a new password.\n", u.Name)
		return err
	})
}

type userTwoStepCommand struct {
	local
	Name string `arg:"" help:"Name of the account."`
}

func (u userTwoStepCommand) Run(ctx context.Context, c console) error {
	return u.existing(ctx, c, func(s *sites.Service) error {
		if err := s.TurnOffTwoStep(ctx, sites.Operator, u.Name); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.out, "The password of %s is enough now.\n", u.Name)
		return err
	})
}

// readPassword reads a password from the terminal, twice and unseen, or the first line of standard input, and hashes it.
func readPassword(ctx context.Context, c console, account string) (hash string, err error) {
	read := firstLine
	if f, ok := c.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		read = func(io.Reader) (string, error) { return fromTerminal(c, f) }
	}
	password, err := read(c.in)
	if err != nil {
		return "", err
	}
	if err := auth.CheckPassword(account, password); err != nil {
		return "", err
	}
	return auth.NewHasher(1).Hash(ctx, password)
}

func fromTerminal(c console, f *os.File) (string, error) {
	ask := func(prompt string) (string, error) {
		fmt.Fprint(c.err, prompt)
		line, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		return string(line), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	second, err := ask("Again: ")
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

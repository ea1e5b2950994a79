package main

import (
	"context"
	"fmt"

	"berth/panel/auth"
	"berth/sites"
)

type tokenCommand struct {
	Add tokenAddCommand `cmd:"" help:"Make an API token and print it once."`
}

type tokenAddCommand struct {
	local
	User string `env:"-" required:"" placeholder:"NAME" help:"Account that the token acts for."`
	Name string `env:"-" required:"" placeholder:"LABEL" help:"What the token is for."`
}

func (t tokenAddCommand) Run(ctx context.Context, c console) error {
	return t.existing(ctx, c, func(s *sites.Service) error {
		account, err := s.Account(ctx, t.User)
		if err != nil {
			return err
		}
		secret, hash := auth.NewToken()
		if _, err := s.CreateToken(ctx, sites.Operator, account.ID, t.Name, hash); err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.out, secret)
		return err
	})
}

package acme

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

// accountEmail is the form of a mail address in which accounts are told apart.
func accountEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// account is the installation's account at the CA, which is registered if there is none yet.
func (c *client) account(ctx context.Context, conn *acme.Client) (acme.Account, error) {
	c.registering.Lock()
	defer c.registering.Unlock()
	account, err := c.storedAccount(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return account, err
	}
	return c.register(ctx, conn)
}

// register makes an account at the CA, bound to one that the CA knows otherwise where that is configured (RFC 8555 section 7.3.4).
func (c *client) register(ctx context.Context, conn *acme.Client) (account acme.Account, err error) {
	if account.PrivateKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return account, fmt.Errorf("key of the account: %w", err)
	}
	account.TermsOfServiceAgreed = true
	if c.email != "" {
		account.Contact = []string{"mailto:" + c.email}
	}
	if c.binding != nil {
		if err := account.SetExternalAccountBinding(ctx, conn, *c.binding); err != nil {
			return account, fmt.Errorf("binding the account: %w", err)
		}
	}
	if account, err = conn.NewAccount(ctx, account); err != nil {
		return account, fmt.Errorf("registering at %s: %w", c.directory, err)
	}
	return account, c.store(ctx, account)
}

// accountKey is where the account is stored, without the ending; certmagic's accounts are in the same place.
func (c *client) accountKey() string {
	email := cmp.Or(c.email, "default")
	user, _, _ := strings.Cut(strings.TrimPrefix(email, "@"), "@")
	return path.Join(accountsKey(c), certmagic.StorageKeys.Safe(email), certmagic.StorageKeys.Safe(cmp.Or(user, "registration")))
}

// accountsKey is the place of all accounts at a CA.
func accountsKey(at issuer) string {
	return path.Join("acme", certmagic.StorageKeys.Safe(at.IssuerKey()), "users")
}

// storedAccount reads the account; the error is fs.ErrNotExist when it has to be registered.
func (c *client) storedAccount(ctx context.Context) (account acme.Account, err error) {
	content, err := c.storage.Load(ctx, c.accountKey()+".json")
	if err != nil {
		return account, fmt.Errorf("account at the CA: %w", err)
	}
	key, err := c.storage.Load(ctx, c.accountKey()+".key")
	if err != nil {
		return account, fmt.Errorf("key of the account at the CA: %w", err)
	}
	if err := json.Unmarshal(content, &account); err != nil {
		return account, fmt.Errorf("account at the CA: %w: %w", err, fs.ErrNotExist)
	}
	if account.PrivateKey, err = certmagic.PEMDecodePrivateKey(key); err != nil {
		return account, fmt.Errorf("key of the account at the CA: %w: %w", err, fs.ErrNotExist)
	}
	return account, nil
}

// store keeps an account. What names it comes last and goes first, so that a crash leaves no account with the key of another.
func (c *client) store(ctx context.Context, account acme.Account) error {
	content, err := json.MarshalIndent(account, "", "\t")
	if err != nil {
		return fmt.Errorf("encoding the account: %w", err)
	}
	key, err := certmagic.PEMEncodePrivateKey(account.PrivateKey)
	if err != nil {
		return fmt.Errorf("encoding the account's key: %w", err)
	}
	name := c.accountKey()
	if err = c.storage.Delete(ctx, name+".json"); err == nil {
		err = c.storage.Store(ctx, name+".key", key)
	}
	if err == nil {
		err = c.storage.Store(ctx, name+".json", content)
	}
	if err != nil {
		return fmt.Errorf("%w: keeping the account: %w", errDisk, err)
	}
	return nil
}

// forget removes an account that the CA does not know any more, unless another step has done so already.
func (c *client) forget(ctx context.Context, gone acme.Account) error {
	c.registering.Lock()
	defer c.registering.Unlock()
	stored, err := c.storedAccount(ctx)
	if err != nil || stored.Location != gone.Location {
		return nil
	}
	for _, ending := range []string{".json", ".key"} {
		if err := c.storage.Delete(ctx, c.accountKey()+ending); err != nil {
			return fmt.Errorf("%w: removing the account: %w", errDisk, err)
		}
	}
	return nil
}

package acme

import (
	"cmp"
	"context"
	"crypto"
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

// registration is one that is under way, for all that need the account meanwhile.
type registration struct {
	ended   chan struct{} // closed when the rest is known
	account acme.Account
	err     error
	gaveUp  bool // whose step it was has ended before the CA has answered
}

// account is the installation's account at the CA, which is registered if there is none yet. Who comes while that is under way waits
// for what comes of it, no longer than its own step may take.
func (c *client) account(ctx context.Context, conn *acme.Client) (acme.Account, error) {
	for {
		c.mu.Lock()
		r := c.registering
		if r == nil {
			account, err := c.storedAccount(ctx)
			if !errors.Is(err, fs.ErrNotExist) {
				c.mu.Unlock()
				return account, err
			}
			r = &registration{ended: make(chan struct{})}
			c.registering = r
			c.mu.Unlock()
			return c.registerFor(ctx, conn, r)
		}
		c.mu.Unlock()
		select {
		case <-r.ended:
		case <-ctx.Done():
			return acme.Account{}, ctx.Err()
		}
		if !r.gaveUp {
			return r.account, r.err
		}
	}
}

// settle registers an account if there is none yet.
func (c *client) settle(ctx context.Context) error {
	conn, err := c.connect(ctx)
	if err == nil {
		_, err = c.account(ctx, conn)
	}
	return err
}

// registerFor registers an account for all that wait.
func (c *client) registerFor(ctx context.Context, conn *acme.Client, r *registration) (acme.Account, error) {
	r.account, r.err = c.register(ctx, conn)
	r.gaveUp = r.err != nil && ctx.Err() != nil
	c.mu.Lock()
	c.registering = nil
	c.mu.Unlock()
	close(r.ended)
	return r.account, r.err
}

// register makes an account at the CA, bound to one that the CA knows otherwise where that is configured (RFC 8555 section 7.3.4).
func (c *client) register(ctx context.Context, conn *acme.Client) (account acme.Account, err error) {
	if account.PrivateKey, err = c.newAccountKey(ctx); err != nil {
		return account, err
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

// newAccountKey is the key to register with. It is kept before the CA sees it: to a CA that has registered it already, the answer
// having been lost on its way, it is the same account (RFC 8555 section 7.3.1).
func (c *client) newAccountKey(ctx context.Context) (crypto.Signer, error) {
	name := c.accountKey()
	if content, err := c.storage.Load(ctx, name+".key"); err == nil {
		if key, err := certmagic.PEMDecodePrivateKey(content); err == nil {
			return key, nil
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key of the account: %w", err)
	}
	content, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the account's key: %w", err)
	}
	// What names the account comes last and goes first, so that a crash leaves no account with the key of another.
	if err = c.storage.Delete(ctx, name+".json"); err == nil {
		err = c.storage.Store(ctx, name+".key", content)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: keeping the account's key: %w", errDisk, err)
	}
	return key, nil
}

// store keeps an account whose key is kept already.
func (c *client) store(ctx context.Context, account acme.Account) error {
	content, err := json.MarshalIndent(account, "", "\t")
	if err != nil {
		return fmt.Errorf("encoding the account: %w", err)
	}
	if err := c.storage.Store(ctx, c.accountKey()+".json", content); err != nil {
		return fmt.Errorf("%w: keeping the account: %w", errDisk, err)
	}
	return nil
}

// forget removes an account that the CA does not know any more, unless another step has done so already.
func (c *client) forget(ctx context.Context, gone acme.Account) error {
	c.mu.Lock()
	defer c.mu.Unlock()
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

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

type whyCommand struct {
	local
	Name string `arg:"" optional:"" help:"Site or host name; without, the server as a whole is judged."`
	JSON bool   `name:"json" env:"-" help:"Print the findings as JSON."`

	HTTPAddr  []string `name:"http-addr" default:":80" hidden:""` // of the service, to see who has them when it is not there
	HTTPSAddr []string `name:"https-addr" default:":443" hidden:""`
	DNSAddr   []string `name:"dns-addr" default:":53" hidden:""`
}

const (
	statusFaults   exitStatus = 1 // something does not work
	statusNotAsked exitStatus = 2 // nobody could be asked
)

// whyPatience is how long an answer is waited for; the service itself waits for the world's DNS for less.
const whyPatience = 30 * time.Second

// Run asks the service that runs in the data directory what does not work, and why.
func (w whyCommand) Run(ctx context.Context, c console) error {
	ctx, cancel := context.WithTimeout(ctx, whyPatience)
	defer cancel()
	body, err := w.ask(ctx)
	var found report
	if err == nil {
		err = json.Unmarshal(body, &found)
	}
	if err != nil {
		fmt.Fprintln(c.err, "berth why:", err)
		return statusNotAsked
	}
	if w.JSON {
		_, err = c.out.Write(body)
	} else {
		_, err = io.WriteString(c.out, found.text())
	}
	if err == nil && !found.Works {
		return statusFaults
	}
	return err
}

// report is the API's answer.
type report struct {
	Works    bool
	Summary  string
	Findings []struct{ Level, Topic, Sentence, Remedy string }
}

// text is the report for people: a line for each finding, and what to do below it.
func (r report) text() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-8s %-13s %s\n", f.Level, f.Topic, f.Sentence)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "%-8s %-13s → %s\n", "", "", f.Remedy)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", r.Summary)
	return b.String()
}

// ask asks the service by the operator's socket. An error says why there is no answer, and what would help.
func (w whyCommand) ask(ctx context.Context) ([]byte, error) {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialOperator(ctx, w.DataDir) },
	}}
	query := url.Values{}
	if w.Name != "" {
		query.Set("name", w.Name)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://berth/api/v1/why?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, w.absent(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, w.absent(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		if json.Unmarshal(body, &problem) != nil || problem.Detail == "" {
			problem.Detail = resp.Status
		}
		return nil, errors.New(problem.Detail)
	}
	return body, nil
}

// absent says why no service answers.
func (w whyCommand) absent(ctx context.Context, cause error) error {
	holder := lockHolder(w.DataDir)
	_, err := os.Stat(databasePath(w.DataDir))
	switch {
	case errors.Is(cause, fs.ErrPermission) || errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not open to you; ask as root, or as the user that berth runs as", w.DataDir)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("berth has taken the question and gives no answer within %s; look at its log, and restart it if it hangs", whyPatience)
	case holder != 0:
		return fmt.Errorf("berth (process %d) runs with %s, but does not answer yet: it is starting or stopping, or is an older one; ask again in a moment", holder, w.DataDir)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no data of berth in %s; say where it is with --data-dir", w.DataDir)
	}
	return fmt.Errorf("berth does not run with the data directory %s\n%s", w.DataDir, w.howToStart(ctx))
}

// howToStart is what helps when nothing runs: the command, and who is in its way.
func (w whyCommand) howToStart(ctx context.Context) string {
	start := "systemctl start berth, or berth serve --data-dir " + w.DataDir + " with the flags that it has otherwise"
	if _, err := os.Stat(passwordPath(w.DataDir)); err == nil {
		start = "berth dev --data-dir " + w.DataDir
		try := devCommand{DataDir: w.DataDir, HTTPPort: devHTTPPort, HTTPSPort: devHTTPSPort, DNSPort: devDNSPort}.config()
		w.HTTPAddr, w.HTTPSAddr, w.DNSAddr = try.HTTPAddr, try.HTTPSAddr, try.DNSAddr
	}
	text := "Start it: " + start + "."
	return strings.Join(append([]string{text}, portsTaken(ctx, slices.Concat(w.HTTPAddr, w.HTTPSAddr, w.DNSAddr)...)...), "\n")
}

package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"berth/sites"
)

// browser is a headless Chromium that finds every name at an address and believes every certificate.
func browser(t *testing.T, addr string, flags ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("BERTH_REQUIRE"), ","), "chromium") {
			t.Fatal("chromium is required and not installed")
		}
		t.Skip("chromium is not installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("ignore-certificate-errors", true), chromedp.Flag("host-resolver-rules", "MAP * "+addr), chromedp.Flag("disable-quic", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(options, flags...)...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the process is gone
		stop()
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// uplink passes connections on to an address, and what clients send at so many bytes a second.
func uplink(t *testing.T, to string, rate int) string {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	go acceptAll(l, func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(client, server)
			_ = client.(*net.TCPConn).CloseWrite()
		}()
		const part = 64 << 10
		tick := time.NewTicker(time.Second * part / time.Duration(rate))
		defer tick.Stop()
		for {
			if _, err := io.CopyN(server, client, part); err != nil {
				return
			}
			<-tick.C
		}
	})
	return l.Addr().String()
}

// uploads is a page with a form for files. Its script makes one up and sends it.
const uploads = `<!doctype html><title>form</title>
<form method=post enctype=multipart/form-data><input type=file name=file></form>
<script>
function upload(size) {
	const made = new DataTransfer
	made.items.add(new File([new Uint8Array(size)], "large.bin"))
	document.querySelector("input").files = made.files
	document.forms[0].submit()
}
</script>`

// answerToUpload is the title of the page that the browser shows after an upload. An error says that it was interrupted, as Chromium
// is when a container comes or goes, which changes the machine's network.
func answerToUpload(ctx context.Context, t *testing.T, url string) (shown string, err error) {
	t.Helper()
	err = chromedp.Run(ctx, chromedp.Navigate(url), chromedp.Evaluate(fmt.Sprintf("upload(%d)", 50<<20), nil))
	if err != nil {
		return "", err
	}
	eventually(t, "an answer", func() bool { // the title is empty while the browser goes from page to page
		return chromedp.Run(ctx, chromedp.Title(&shown)) == nil && shown != "form" && shown != ""
	})
	var text string
	err = chromedp.Run(ctx, chromedp.Text("html", &text, chromedp.ByQuery))
	if strings.Contains(text, "ERR_NETWORK_CHANGED") {
		err = errors.New("interrupted")
	}
	return shown, err
}

// An upload that is refused before it has come shows the page that says why, and not one of the browser's own.
func TestARefusedUploadShowsWhy(t *testing.T) {
	e := startEdge(t)
	form := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<!doctype html><title>not by the instance</title>")
			return
		}
		io.WriteString(w, uploads)
	})
	free := site("free", form.addr)
	free.ID = 2
	e.publish(optional(sites.Options{Bounds: sites.Bounds{BodyMB: 1}}, form.addr), free)
	addr := uplink(t, e.secure, 40<<20)
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP%d", version), func(t *testing.T) {
			ctx := browser(t, addr, chromedp.Flag("disable-http2", version == 1))
			for host, title := range map[string]string{"hello": "too large", "free": "not by the instance"} {
				shown, err := answerToUpload(ctx, t, "https://"+host+"."+testZone)
				for range 5 {
					if err == nil {
						break
					}
					shown, err = answerToUpload(ctx, t, "https://"+host+"."+testZone)
				}
				if err != nil || shown != title {
					t.Errorf("%s shows %q, %v", host, shown, err)
				}
			}
		})
	}
}

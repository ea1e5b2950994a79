package panel

import (
	"context"
	"fmt"
	"io"

	"berth/sites"
)

// accessLog is Visits for tests: each site has one line, which tells whose it is.
type accessLog struct{ off bool }

func (l *accessLog) Kept() bool { return !l.off }

func (l *accessLog) Read(ctx context.Context, site sites.SiteID, q sites.LogQuery, w io.Writer) error {
	if _, err := fmt.Fprintf(w, "line of site %d, tail %d\n", site, q.Tail); err != nil {
		return err
	}
	if q.Follow {
		<-ctx.Done()
	}
	return nil
}

package panel

import (
	"context"
	"net/http"
	"slices"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) statusPage(c echo.Context, who visitor) error {
	view, err := p.statusView(c.Request().Context(), who.actor)
	if err != nil {
		return err
	}
	view.Shell = p.shell(c, "Status", templates.SectionStatus)
	return p.render(c, http.StatusOK, templates.Status(view))
}

// installation is how the whole is doing, for the page and the API.
type installation struct {
	ready        bool
	revision     int64
	machine      measurements
	servers      []ServerInfo
	runtime      sites.RuntimeInfo
	certificates []sites.Certificate
	authority    string
	sites        []sites.SiteStatus
}

func (p *Panel) installation(ctx context.Context, actor sites.Actor) (in installation, err error) {
	if in.sites, err = p.service.Sites(ctx, actor, 0); err != nil {
		return in, err
	}
	newest, err := p.service.Events(ctx, actor, sites.EventFilter{Limit: 1})
	if err != nil {
		return in, err
	}
	if len(newest) > 0 {
		in.revision = newest[0].Revision
	}
	in.ready = p.service.Ready()
	in.machine = p.meters.read(ctx)
	in.servers = p.cfg.Servers()
	in.runtime = p.runtime(ctx)
	in.certificates = p.cfg.Certificates.Certificates()
	in.authority = p.cfg.Certificates.Certificate(p.cfg.Zone).Issuer
	return in, nil
}

// runtimeWait is how long a page waits for the engine to say how it is.
const runtimeWait = 3 * time.Second

func (p *Panel) runtime(ctx context.Context) sites.RuntimeInfo {
	ctx, cancel := context.WithTimeout(ctx, runtimeWait)
	defer cancel()
	return p.service.Runtime(ctx)
}

func (in installation) instances() (n int) {
	for _, s := range in.sites {
		n += len(s.Serving)
	}
	return n
}

func (in installation) counts() templates.SiteCounts {
	counts := templates.SiteCounts{Total: len(in.sites)}
	for _, s := range in.sites {
		switch s.State {
		case sites.StateRunning:
			counts.Running++
		case sites.StateStarting:
			counts.Starting++
		case sites.StateStopped:
			counts.Stopped++
		case sites.StateFailed:
			counts.Failed++
		case sites.StateEmpty:
			counts.Empty++
		case sites.StateSleeping:
			counts.Sleeping++
		}
	}
	return counts
}

func (p *Panel) statusView(ctx context.Context, actor sites.Actor) (templates.StatusView, error) {
	in, err := p.installation(ctx, actor)
	if err != nil {
		return templates.StatusView{}, err
	}
	report, err := p.diagnoseServer(ctx, actor, in, lookBack)
	if err != nil {
		return templates.StatusView{}, err
	}
	view := templates.StatusView{
		Troubles:  checks(report.Troubles()),
		Version:   p.cfg.Version,
		StartedAt: p.cfg.Started,
		Revision:  in.revision,
		Ready:     in.ready,
		Host:      p.hostMeters(in.machine),
		Runtime: templates.Runtime{
			Name: in.runtime.Name, Version: in.runtime.Version, Why: p.cfg.RuntimeNote,
			Problem: in.runtime.Err, Instances: in.instances(),
		},
		Sites:        in.counts(),
		Authority:    in.authority,
		Certificates: certificates(first(urgent(in.certificates), maxCertificates)),
		RootURL:      p.rootURL(),
	}
	for _, s := range in.servers {
		view.Servers = append(view.Servers, serverView(s))
	}
	return view, nil
}

// maxCertificates bounds the list on the status page; another page has them all.
const maxCertificates = 10

func first[T any](list []T, most int) []T { return list[:min(len(list), most)] }

// urgent puts failed orders first, then what expires soonest.
func urgent(list []sites.Certificate) []sites.Certificate {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b sites.Certificate) int {
		if aFailed := a.State == sites.CertificateFailed; aFailed != (b.State == sites.CertificateFailed) {
			if aFailed {
				return -1
			}
			return 1
		}
		return a.NotAfter.Compare(b.NotAfter)
	})
	return list
}

func serverView(s ServerInfo) templates.Server {
	view := templates.Server{Name: s.Name, Addresses: s.Addrs, Problem: s.Err}
	for _, n := range s.Counters {
		view.Counters = append(view.Counters, templates.Counter(n))
	}
	for _, g := range s.Groups {
		group := templates.CounterGroup{Label: g.Label}
		for _, n := range g.Counters {
			group.Counters = append(group.Counters, templates.Counter(n))
		}
		view.Groups = append(view.Groups, group)
	}
	return view
}

func (p *Panel) hostMeters(m measurements) templates.HostMeters {
	return templates.HostMeters{
		Name: m.Name, System: m.System, CPUs: m.CPUs, CPUPercent: m.CPUPercent, Load: m.Load,
		MemoryUsed: int64(m.MemoryUsed), MemoryTotal: int64(m.MemoryTotal),
		DiskUsed: int64(m.DiskUsed), DiskTotal: int64(m.DiskTotal), DiskPath: p.cfg.DataDir,
		OwnMemory: int64(m.OwnMemory), UpSince: m.UpSince,
	}
}

package panel

import (
	"net/http"
	"time"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

type statusJSON struct {
	Version      string            `json:"version"`
	Zone         string            `json:"zone"`
	StartedAt    time.Time         `json:"started_at"`
	Ready        bool              `json:"ready"`
	Revision     int64             `json:"revision"`
	Host         hostJSON          `json:"host"`
	Servers      []serverJSON      `json:"servers"`
	Runtime      runtimeJSON       `json:"runtime"`
	Sites        map[string]int    `json:"sites"`
	Instances    []instanceJSON    `json:"instances"`
	Certificates []certificateJSON `json:"certificates"`
}

type hostJSON struct {
	Name        string    `json:"name"`
	System      string    `json:"system"`
	CPUs        int       `json:"cpus"`
	CPUPercent  float64   `json:"cpu_percent"`
	Load        float64   `json:"load"`
	MemoryUsed  uint64    `json:"memory_used"`
	MemoryTotal uint64    `json:"memory_total"`
	DiskUsed    uint64    `json:"disk_used"`
	DiskTotal   uint64    `json:"disk_total"`
	OwnMemory   uint64    `json:"own_memory"`
	UpSince     time.Time `json:"up_since,omitzero"`
}

type serverJSON struct {
	Name     string                      `json:"name"`
	Addrs    []string                    `json:"addrs"`
	Error    string                      `json:"error,omitempty"`
	Counters map[string]int64            `json:"counters"`
	Groups   map[string]map[string]int64 `json:"groups,omitempty"` // such as queries by type
}

type runtimeJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Note    string `json:"note,omitempty"`
	Error   string `json:"error,omitempty"`
}

type instanceJSON struct {
	Site      string    `json:"site"`
	ID        string    `json:"id"`
	Release   int       `json:"release"`
	Address   string    `json:"address,omitempty"` // left out where berth itself serves the release
	Answers   bool      `json:"answers"`
	StartedAt time.Time `json:"started_at,omitzero"`
}

func (p *Panel) apiStatus(c echo.Context, actor sites.Actor, _ sites.Account) error {
	in, err := p.installation(c.Request().Context(), actor)
	if err != nil {
		return err
	}
	m, counts := in.machine, in.counts()
	out := statusJSON{
		Version: p.cfg.Version, Zone: p.cfg.Zone, StartedAt: p.cfg.Started.UTC(), Ready: in.ready, Revision: in.revision,
		Host: hostJSON{
			Name: m.Name, System: m.System, CPUs: m.CPUs, CPUPercent: m.CPUPercent, Load: m.Load, MemoryUsed: m.MemoryUsed,
			MemoryTotal: m.MemoryTotal, DiskUsed: m.DiskUsed, DiskTotal: m.DiskTotal, OwnMemory: m.OwnMemory, UpSince: utc(m.UpSince),
		},
		Servers: serversOut(in.servers),
		Runtime: runtimeJSON{Name: in.runtime.Name, Version: in.runtime.Version, Note: p.cfg.RuntimeNote, Error: in.runtime.Err},
		Sites: map[string]int{
			"total": counts.Total, "running": counts.Running, "starting": counts.Starting, "stopped": counts.Stopped,
			"failed": counts.Failed, "empty": counts.Empty, "sleeping": counts.Sleeping,
		},
		Instances:    p.instancesOut(in.sites),
		Certificates: make([]certificateJSON, len(in.certificates)),
	}
	for i, cert := range in.certificates {
		out.Certificates[i] = certificateOut(cert)
	}
	return c.JSON(http.StatusOK, out)
}

func serversOut(servers []ServerInfo) []serverJSON {
	out := make([]serverJSON, len(servers))
	for i, s := range servers {
		out[i] = serverJSON{Name: s.Name, Addrs: append([]string{}, s.Addrs...), Error: s.Err, Counters: map[string]int64{}}
		for _, n := range s.Counters {
			out[i].Counters[n.Label] = n.Value
		}
		for _, g := range s.Groups {
			if out[i].Groups == nil {
				out[i].Groups = map[string]map[string]int64{}
			}
			out[i].Groups[g.Label] = map[string]int64{}
			for _, n := range g.Counters {
				out[i].Groups[g.Label][n.Label] = n.Value
			}
		}
	}
	return out
}

func (p *Panel) instancesOut(list []sites.SiteStatus) []instanceJSON {
	out := []instanceJSON{}
	for _, s := range list {
		for _, i := range s.Serving {
			one := instanceJSON{Site: s.Name, ID: i.ID, Release: i.Release, Answers: p.answers(i), StartedAt: utc(i.StartedAt)}
			if i.Addr.IsValid() {
				one.Address = i.Addr.String()
			}
			out = append(out, one)
		}
	}
	return out
}

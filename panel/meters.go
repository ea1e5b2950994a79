package panel

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"
)

// measurements are how the machine is doing. What could not be measured is zero.
type measurements struct {
	Name, System string
	CPUs         int
	CPUPercent   float64 // of all processors together
	Load         float64 // average of one minute
	MemoryUsed   uint64
	MemoryTotal  uint64
	DiskUsed     uint64
	DiskTotal    uint64
	OwnMemory    uint64 // resident, of this process
	UpSince      time.Time
}

// sampleEvery is how old measurements may be; the processor's share is the average since the sample before.
const sampleEvery = 2 * time.Second

// meters measures the machine when somebody looks, and never waits for a measuring interval to pass.
type meters struct {
	path string // whose disk is measured

	mu   sync.Mutex
	at   time.Time
	last measurements
	busy cpu.TimesStat // at the last sample
}

func newMeters(path string) *meters {
	m := &meters{path: path}
	m.busy, _ = cpuTimes(context.Background()) // a zero start only makes the first share an average since boot
	return m
}

func (m *meters) read(ctx context.Context) measurements {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) >= sampleEvery {
		m.last, m.at = m.sample(ctx), time.Now()
	}
	return m.last
}

// sample leaves out what this machine does not tell: a meter that is not known is better than no page.
func (m *meters) sample(ctx context.Context) measurements {
	now := measurements{CPUs: runtime.NumCPU(), CPUPercent: m.last.CPUPercent}
	if times, err := cpuTimes(ctx); err == nil {
		if share, ok := busyShare(m.busy, times); ok {
			now.CPUPercent = share
		}
		m.busy = times
	}
	if v, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		now.MemoryTotal, now.MemoryUsed = v.Total, v.Total-min(v.Total, v.Available)
	}
	if d, err := disk.UsageWithContext(ctx, m.path); err == nil {
		now.DiskUsed, now.DiskTotal = d.Used, d.Used+d.Free
	}
	if l, err := load.AvgWithContext(ctx); err == nil {
		now.Load = l.Load1
	}
	if h, err := host.InfoWithContext(ctx); err == nil {
		now.Name, now.System = h.Hostname, systemWord(h)
		now.UpSince = time.Unix(int64(h.BootTime), 0)
	}
	if self, err := process.NewProcessWithContext(ctx, int32(os.Getpid())); err == nil {
		if own, err := self.MemoryInfoWithContext(ctx); err == nil {
			now.OwnMemory = own.RSS
		}
	}
	return now
}

func cpuTimes(ctx context.Context) (cpu.TimesStat, error) {
	times, err := cpu.TimesWithContext(ctx, false)
	if err != nil {
		return cpu.TimesStat{}, err
	}
	if len(times) == 0 {
		return cpu.TimesStat{}, fmt.Errorf("no processor times")
	}
	return times[0], nil
}

// busyShare is the percentage of time between two samples that processors worked.
func busyShare(before, after cpu.TimesStat) (float64, bool) {
	all := total(after) - total(before)
	idle := after.Idle + after.Iowait - before.Idle - before.Iowait
	if all <= 0 {
		return 0, false
	}
	return min(100, max(0, 100*(all-idle)/all)), true
}

// total leaves guest times out: they are part of user and nice.
func total(t cpu.TimesStat) float64 {
	return t.User + t.System + t.Idle + t.Nice + t.Iowait + t.Irq + t.Softirq + t.Steal
}

// systemWord is such as "Debian 12.5, Linux 6.1.0".
func systemWord(h *host.InfoStat) string {
	var parts []string
	if h.Platform != "" {
		name := strings.ToUpper(h.Platform[:1]) + h.Platform[1:]
		parts = append(parts, strings.TrimSpace(name+" "+h.PlatformVersion))
	}
	if h.OS != "" && h.KernelVersion != "" {
		parts = append(parts, strings.ToUpper(h.OS[:1])+h.OS[1:]+" "+h.KernelVersion)
	}
	return strings.Join(parts, ", ")
}

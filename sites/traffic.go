package sites

import (
	"context"
	"time"
)

// Traffic is what was counted of requests to one site, or to all, in an hour or day of UTC.
type Traffic struct {
	At       time.Time // the beginning of the hour or day, UTC
	Requests int64
	Bytes    int64    // sent
	Visitors int64    // different ones, about; of all sites: those of each, added up
	Classes  [5]int64 // answers with a status of 1xx, 2xx, 3xx, 4xx, 5xx
}

// Add adds what was counted elsewhere or at another time. Visitors who were there both times count twice.
func (t *Traffic) Add(other Traffic) {
	t.Requests += other.Requests
	t.Bytes += other.Bytes
	t.Visitors += other.Visitors
	for i, n := range other.Classes {
		t.Classes[i] += n
	}
}

// TrafficStep is how long the spans are that traffic is told by.
type TrafficStep string

const (
	StepHour TrafficStep = "hour"
	StepDay  TrafficStep = "day"
)

// Length is the length of the step; days of UTC are all as long.
func (s TrafficStep) Length() time.Duration {
	if s == StepHour {
		return time.Hour
	}
	return 24 * time.Hour
}

// How long traffic is kept.
const (
	KeepHours = 90 * 24 * time.Hour  // hours, and what was asked for most on each day
	KeepDays  = 762 * 24 * time.Hour // days: 25 months
)

// MaxRanks is how many paths and referrers of a site are told for a span of days.
const MaxRanks = 50

// TrafficQuery selects the hours or days that begin at From or later, and before To.
type TrafficQuery struct {
	Site SiteID // 0: all
	From time.Time
	To   time.Time
	Step TrafficStep
}

// TrafficReport is the traffic of a site over some time.
type TrafficReport struct {
	Steps     []Traffic // each hour or day from the first to the last, those without traffic, too
	Total     Traffic   // Visitors are those of each day, added up
	Paths     []Rank    // asked for most, of those that were there; by the days of the span
	Referrers []Rank    // hosts that visitors came from; likewise
}

// TrafficPart is what was counted of one site in one hour and is not kept yet.
type TrafficPart struct {
	Site        SiteID
	Traffic             // At is an hour; Visitors are those who are new in it
	DayVisitors int64   // those who are new on the day
	Paths       Ranking // of the day
	Referrers   Ranking
}

// SiteTraffic is the traffic of a site over some time, in a list of many.
type SiteTraffic struct {
	Name  string
	Owner string
	Traffic
}

// TrafficReader reads what was counted.
type TrafficReader interface {
	// Traffic lists the steps that had any, the oldest first.
	Traffic(ctx context.Context, q TrafficQuery) ([]Traffic, error)
	// TrafficRanks adds up what was asked for most on each day of the query, whatever its step.
	TrafficRanks(ctx context.Context, q TrafficQuery) (paths, referrers Ranking, err error)
	// BusiestSites lists the sites with the most requests on the days of the query.
	BusiestSites(ctx context.Context, q TrafficQuery, limit int) ([]SiteTraffic, error)
}

// Traffic tells the traffic of a site. Times are rounded down to the step.
func (s *Service) Traffic(ctx context.Context, actor Actor, name string, q TrafficQuery) (TrafficReport, error) {
	site, err := s.owned(ctx, actor, name)
	if err != nil {
		return TrafficReport{}, err
	}
	q.Site = site.ID
	report, err := s.trafficReport(ctx, q)
	if err != nil {
		return report, err
	}
	paths, referrers, err := s.store.TrafficRanks(ctx, q)
	report.Paths, report.Referrers = paths.Top(MaxRanks), referrers.Top(MaxRanks)
	return report, err
}

// TrafficOfAll tells the traffic of all sites, and which had the most, for admins.
func (s *Service) TrafficOfAll(ctx context.Context, actor Actor, q TrafficQuery) (TrafficReport, []SiteTraffic, error) {
	if !actor.Admin() {
		return TrafficReport{}, nil, Refuse(ErrForbidden, "Only an admin can see the traffic of all sites.")
	}
	q.Site = 0
	report, err := s.trafficReport(ctx, q)
	if err != nil {
		return report, nil, err
	}
	busiest, err := s.store.BusiestSites(ctx, q, MaxRanks)
	return report, busiest, err
}

func (s *Service) trafficReport(ctx context.Context, q TrafficQuery) (TrafficReport, error) {
	q.From, q.To = q.From.UTC().Truncate(q.Step.Length()), q.To.UTC()
	counted, err := s.store.Traffic(ctx, q)
	if err != nil {
		return TrafficReport{}, err
	}
	report := TrafficReport{Steps: everyStep(q, counted)}
	for _, t := range counted {
		report.Total.Add(t)
	}
	report.Total.At = q.From
	if q.Step == StepHour {
		// Who came in two hours of a day is one visitor of that day.
		days, err := s.store.Traffic(ctx, TrafficQuery{Site: q.Site, From: q.From.Truncate(StepDay.Length()), To: q.To, Step: StepDay})
		if err != nil {
			return report, err
		}
		report.Total.Visitors = 0
		for _, day := range days {
			report.Total.Visitors += day.Visitors
		}
	}
	return report, nil
}

// everyStep fills in the steps of the query that had no traffic.
func everyStep(q TrafficQuery, counted []Traffic) []Traffic {
	var steps []Traffic
	for at := q.From; at.Before(q.To); at = at.Add(q.Step.Length()) {
		step := Traffic{At: at}
		if len(counted) > 0 && counted[0].At.Equal(at) {
			step, counted = counted[0], counted[1:]
		}
		steps = append(steps, step)
	}
	return steps
}

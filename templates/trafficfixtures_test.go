package templates

import (
	"math"
	"time"
)

// accessLines are some of a combined access log.
const accessLines = `203.0.113.24 - - [14/Mar/2026:11:58:12 +0000] "GET / HTTP/2.0" 200 5120 "https://news.example.org/" "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_3) Safari/605.1.15"
203.0.113.24 - - [14/Mar/2026:11:58:12 +0000] "GET /style.css HTTP/2.0" 200 2210 "https://bakery.sites.example.org/" "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_3) Safari/605.1.15"
2001:db8:4::7 - - [14/Mar/2026:11:59:40 +0000] "GET /wp-login.php HTTP/1.1" 404 812 "-" "curl/8.12.1"
`

func trafficPages() []page {
	today := TrafficView{
		Shell: owner("Traffic of bakery", SectionSites), Name: "bakery", URL: "https://bakery.sites.example.org", Days: 1,
		Steps: trafficSteps(24, time.Hour, 12), Paths: trafficPaths(), Referrers: nil,
	}
	month := today
	month.Days, month.Steps, month.Referrers = 30, trafficSteps(30, day, 30), trafficHosts()
	quarter := month
	quarter.Days, quarter.Steps = 90, trafficSteps(90, day, 90)
	today.Total, month.Total, quarter.Total = trafficTotal(today.Steps), trafficTotal(month.Steps), trafficTotal(quarter.Steps)
	all := AllTrafficView{Shell: shell("Traffic of all sites", SectionStatus), Days: 7, Steps: trafficSteps(7, day, 7)}
	all.Total = trafficTotal(all.Steps)
	for i, name := range []string{"bakery", "choir-spring-concert-2026", "docs"} {
		all.Sites = append(all.Sites, TrafficSite{Name: name, Owner: []string{"marie", "tom", "tom"}[i], Total: trafficSteps(3, day, 3)[2-i]})
	}
	return []page{
		newPage("traffic-today", Traffic, today),
		newPage("traffic", Traffic, month),
		newPage("traffic-quarter", Traffic, quarter),
		newPage("traffic-none", Traffic, TrafficView{Shell: owner("Traffic of hello", SectionSites), Name: "hello", URL: "https://hello.sites.example.org", Days: 7}),
		newPage("traffic-all", AllTraffic, all),
		newPage("traffic-all-none", AllTraffic, AllTrafficView{Shell: shell("Traffic of all sites", SectionStatus), Days: 1}),
		newPage("visits", Logs, LogsView{Shell: owner("Visitors of bakery", SectionSites), Name: "bakery", Visits: true, Text: accessLines, Tail: 100}),
		newPage("visits-off", Logs, LogsView{Shell: owner("Visitors of bakery", SectionSites), Name: "bakery", Visits: true, Tail: 100, Reason: "This server keeps no access logs. Follow shows what is asked for meanwhile."}),
	}
}

// trafficSteps are steps up to today of which so many had visits.
func trafficSteps(n int, length time.Duration, visited int) []TrafficStep {
	steps := make([]TrafficStep, n)
	first := noon.Truncate(day)
	if length == day {
		first = first.AddDate(0, 0, 1-n)
	}
	for i := range steps {
		steps[i].At = first.Add(time.Duration(i) * length)
		if i >= visited {
			continue
		}
		requests := int64(900 + 700*math.Sin(float64(i)/3) + float64(37*i%211))
		steps[i].Requests, steps[i].Visitors, steps[i].Bytes = requests, requests/9, requests*18_321
		steps[i].Missing, steps[i].Failed = requests/int64(8+i%5), int64(i%7)*requests/90
	}
	return steps
}

func trafficTotal(steps []TrafficStep) (total TrafficStep) {
	for _, s := range steps {
		total.Requests += s.Requests
		total.Visitors += s.Visitors
		total.Bytes += s.Bytes
		total.Missing += s.Missing
		total.Failed += s.Failed
	}
	return total
}

func trafficPaths() []TrafficRank {
	return []TrafficRank{
		{"/", 9211}, {"/style.css", 8702}, {"/brot/roggenmischbrot", 2210}, {"/%C3%B6ffnungszeiten", 911}, {"/images/2026/03/ein-sehr-langer-name-einer-datei-mit-brot.webp", 420}, {"/feed.xml", 12},
	}
}

func trafficHosts() []TrafficRank {
	return []TrafficRank{{"www.google.com", 1840}, {"news.example.org", 322}, {"xn--bcker-gra.example", 12}}
}

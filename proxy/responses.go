package proxy

import "sync/atomic"

// majors are how HTTP/1, 2 and 3 are counted; 0 is for what is none of them.
const majors = 4

// responses counts the answers to requests for sites by protocol and class of status.
type responses [majors][6]atomic.Uint64

func (c *responses) count(major, status int) {
	if major < 0 || major >= majors {
		major = 0
	}
	c[major][min(max(status/100, 0), 5)].Add(1)
}

// Responses is a number of answers, by major version of HTTP and class of status: 2 stands for 200 to 299.
type Responses struct {
	Major, Class int
	Count        uint64
}

// Responses counts the answers to requests for sites since the start.
func (p *Proxy) Responses() []Responses { return p.responses.read() }

// read leaves out what has not happened.
func (c *responses) read() (list []Responses) {
	for major := range c {
		for class := range c[major] {
			if n := c[major][class].Load(); n > 0 {
				list = append(list, Responses{major, class, n})
			}
		}
	}
	return list
}

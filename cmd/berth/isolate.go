package main

import (
	"net/netip"

	"berth/sites/docker"
)

// isolateCommand is run by package docker, in a container with the host's network.
type isolateCommand struct {
	Remove       bool         `env:"-" help:"Take the rules away."`
	Installation string       `arg:"" help:"Id of the installation whose instances these are."`
	Pool         netip.Prefix `arg:"" help:"Subnet of their addresses."`
}

func (i isolateCommand) Run(c console) error {
	if i.Remove {
		return docker.Unisolate(i.Installation)
	}
	return docker.Isolate(i.Installation, i.Pool, c.out)
}

// Package docker owns everything that berth does with a Docker engine: the image made of berth's own executable, the
// bridge networks cut from the pool, the rules that isolate instances, and the containers, one an instance. It
// implements sites.Runtime.
//
// It must not know SQL, DNS, certificates or how requests are routed. Of the engine's objects it sees those with its
// installation's label and changes no other; networks of others are read to keep clear of them.
//
// All methods of *Runtime are safe for concurrent use. Isolate is run by a process of its own.
package docker

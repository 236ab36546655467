package main

import "time"

// quality is how bad a wire is. The zero value loses nothing and takes no time.
type quality struct {
	Loss  float64       // of packets, in each direction
	Rate  int           // bytes a second in each direction, IP and TCP included; 0: no bound
	Delay time.Duration // one way, beside the time that the rate makes
	Seed  uint64        // of what is lost
}

//go:build !linux

package wireproxy

import "time"

func preciseTimers() {}

func nanosleep(d time.Duration) { time.Sleep(d) }

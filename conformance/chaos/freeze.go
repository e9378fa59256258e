//go:build unix

package chaos

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// freeze stops single processes of the rig's own server for some milliseconds, again and again, as a busy machine does: so
// what lies close together in time, lies far apart at times. It ends when the function that it returns is called.
func (r *Rig) freeze() (thaw func()) {
	if r.database.cluster == nil {
		return func() {}
	}
	var loop sync.WaitGroup
	stop := make(chan struct{})
	loop.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(rand.N(30 * time.Millisecond)):
				r.database.cluster.freezeOne(rand.N(25 * time.Millisecond))
			}
		}
	})
	return func() {
		close(stop)
		loop.Wait()
	}
}

// freezeOne stops one of the server's processes that is at work, for a while. It does nothing where the kernel does not list
// them.
func (c *Cluster) freezeOne(pause time.Duration) {
	c.mu.Lock() // the server stays until the process goes on
	defer c.mu.Unlock()
	busy := c.busy()
	if len(busy) == 0 {
		return
	}
	pid := busy[rand.N(len(busy))]
	_ = syscall.Kill(pid, syscall.SIGSTOP) // it may be gone
	time.Sleep(pause)
	_ = syscall.Kill(pid, syscall.SIGCONT)
}

// busy returns the server's processes that work for a client: their titles say so.
func (c *Cluster) busy() (pids []int) {
	server := c.server.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", server, server))
	if err != nil {
		return nil
	}
	for child := range strings.FieldsSeq(string(children)) {
		title, err := os.ReadFile("/proc/" + child + "/cmdline") //nolint:gosec // a number
		text := strings.TrimRight(string(title), "\x00 ")
		if pid, badPID := strconv.Atoi(child); err == nil && badPID == nil && strings.Contains(text, "127.0.0.1(") && !strings.Contains(text, ") idle") {
			pids = append(pids, pid)
		}
	}
	return pids
}

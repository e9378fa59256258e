package wireproxy

import (
	"syscall"
	"time"
)

// preciseTimers has the kernel wake this thread without the usual 50 microseconds of slack.
func preciseTimers() {
	const prSetTimerSlack = 29
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerSlack, 1, 0) // without it sleeps are late, which the spin cannot undo
}

// nanosleep sleeps in the kernel, not by the runtime's timers.
func nanosleep(d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&ts, nil)
}

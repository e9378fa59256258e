package chaos

import "syscall"

// orphanless has the kernel kill a process whose parent has died, of a timeout for one.
func orphanless() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

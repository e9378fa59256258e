//go:build unix && !linux

package testpooler

import "syscall"

func orphanless() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

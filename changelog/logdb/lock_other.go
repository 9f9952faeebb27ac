//go:build !unix

package logdb

func isLockErrno(error) bool { return false }

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"dsync/cmd/internal/engine"
)

// maxSpool is what a spool keeps in memory.
const maxSpool = 4 << 20

// spool holds a command's result until all of it is there, so that a command that
// fails prints no part of one: in memory, and beyond maxSpool in a file that has
// no name.
type spool struct {
	mem  bytes.Buffer
	file *os.File
	err  error
}

func (s *spool) Write(p []byte) (int, error) {
	if s.err == nil && s.file == nil && s.mem.Len()+len(p) > maxSpool {
		s.err = s.spill()
	}
	if s.err != nil {
		return 0, s.err
	}
	if s.file == nil {
		return s.mem.Write(p)
	}
	return s.file.Write(p)
}

func (s *spool) spill() error {
	f, err := os.CreateTemp("", "dsync-*")
	if err != nil {
		return fmt.Errorf("hold a long result: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	_, err = f.Write(s.mem.Bytes())
	s.mem = bytes.Buffer{}
	return err
}

// Close lets go of the file.
func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// printSpool writes out what the spool holds.
func (p *program) printSpool(s *spool) error {
	var from io.Reader = &s.mem
	if s.file != nil {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		from = s.file
	}
	if _, err := io.Copy(p.stdout, from); err != nil {
		return engine.Fail(engine.ExitTemp, fmt.Errorf("write to standard output: %w", err))
	}
	return nil
}

package owner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dsync/cmd/internal/engine"
	"dsync/store"
)

// notCarried are the options that are code, or the database itself.
var notCarried = []string{"SpaceAt", "Connect", "Part", "DB", "Progress", "Notice", "Fatal"}

// fill sets every field to something that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("s\xff") // a path may hold any bytes
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint32, reflect.Uint64, reflect.Uint8:
		v.SetUint(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, val := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(val)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, val)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(7, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

// Every option of the engine goes over, but those that are code: a new one that does
// not is found here.
func TestOptionsCarried(t *testing.T) {
	var o engine.Options
	v := reflect.ValueOf(&o).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && !slices.Contains(notCarried, f.Name) {
			fill(v.Field(i))
		}
	}
	d, err := (&Run{Options: o}).data()
	if err != nil {
		t.Fatal(err)
	}
	b, err := encode(kindWork, &work{Run: d})
	if err != nil {
		t.Fatal(err)
	}
	var w work
	if err := expect(bytes.NewReader(b), kindWork, &w); err != nil {
		t.Fatal(err)
	}
	if got := w.Run.options(); !reflect.DeepEqual(got, o) {
		t.Errorf("got  %+v\nwant %+v", got, o)
	}
}

func TestReportCarried(t *testing.T) {
	var rep engine.Report
	v := reflect.ValueOf(&rep).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Name != "Err" {
			fill(v.Field(i))
		}
	}
	rep.Exit, rep.Err = engine.ExitTemp, engine.NotBegun(engine.Options{}, store.ErrBusy).Err
	b, err := encode(kindEnd, &end{Report: dataOf(&rep)})
	if err != nil {
		t.Fatal(err)
	}
	var e end
	if err := expect(bytes.NewReader(b), kindEnd, &e); err != nil {
		t.Fatal(err)
	}
	got := e.Report.report()
	if !errors.Is(got.Err, store.ErrBusy) || engine.ExitOf(got.Err) != engine.ExitTemp || got.Err.Error() != rep.Err.Error() {
		t.Errorf("error %v, want %v", got.Err, rep.Err)
	}
	got.Err = rep.Err
	if !reflect.DeepEqual(*got, rep) {
		t.Errorf("got  %+v\nwant %+v", *got, rep)
	}
}

// An owner that is sent nonsense neither falls nor begins anything, and serves the next.
func TestNonsense(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40)) // longer than a socket's path may be
	began := 0
	l := New(t.Context(), Setup{Dir: dir, Run: func(_ context.Context, o engine.Options) *engine.Report {
		began++
		return &engine.Report{State: o.State}
	}})
	if err := l.Ready(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	if in, err := os.Lstat(path); err != nil || in.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v, want mode 0600", in, err)
	}
	good, _ := encode(kindHello, &hello{Format, types(), space(), 1})
	old, _ := encode(kindHello, &hello{Format + 1, types(), space(), 1})
	elsewhere, _ := encode(kindHello, &hello{Format, types(), "elsewhere", 1})
	empty, _ := encode(kindWork, &work{})
	both, _ := encode(kindWork, &work{Run: &runData{}, Far: &farData{}})
	bare, _ := encode(kindWork, &work{Far: &farData{}})
	pipes, _ := encode(kindWork, &work{Run: &runData{Pipes: true}})
	for name, b := range map[string][]byte{
		"nothing": {}, "text": []byte("GET / HTTP/1.0\r\n\r\n"), "huge": {byte(kindHello), 255, 255, 255, 255}, "old": old, "elsewhere": elsewhere,
		"cut": good[:len(good)-1], "no work": good, "empty work": join(good, empty), "two works": join(good, both),
		"far end without pipes": join(good, bare), "run without its pipes": join(good, pipes), "not gob": join(good, []byte{byte(kindWork), 0, 0, 0, 2, 9, 9}),
	} {
		c, err := Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		c.Write(b)
		c.CloseWrite()
		said, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
		if bytes.IndexByte(said, byte(kindTaken)) == 0 {
			t.Errorf("%s was taken", name)
		}
		c.Close()
	}
	if began != 0 {
		t.Errorf("%d runs were begun", began)
	}
	other := New(t.Context(), Setup{Dir: dir})
	if rep := other.Run(t.Context(), &Run{Options: engine.Options{State: "s"}}); rep.Err != nil || rep.State != "s" || began != 1 {
		t.Errorf("%+v, %d begun", rep, began)
	}
	if err := errors.Join(other.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
}

func join(a, b []byte) []byte { return append(slices.Clone(a), b...) }

// Who asks must find out by itself who is behind a socket.
func TestNotOurs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(path); !errors.Is(err, errForeign) {
		t.Errorf("a file: %v", err)
	}
	if _, err := Listen(path); !errors.Is(err, errForeign) {
		t.Errorf("a file would be replaced: %v", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("another user's socket needs root to make one")
	}
	os.Remove(path)
	sock, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	os.Chmod(path, 0o600)
	os.Chown(path, 12345, 12345)
	if _, err := Dial(path); !errors.Is(err, errForeign) {
		t.Errorf("another user's: %v", err)
	}
}

// An asker that takes nothing holds up nobody but itself, and no progress piles up.
func TestTeller(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
	}
	gone := make(chan struct{})
	out := newTeller(ends[0], func() { close(gone) })
	for range 1000 {
		out.put(make([]byte, 64<<10), false)
	}
	if out.size > maxUntold+64<<10 {
		t.Errorf("%d bytes wait", out.size)
	}
	ends[1].Close()
	<-gone
	out.notice(engine.Info, "nobody hears this, and nobody waits for it")
	out.close()
}

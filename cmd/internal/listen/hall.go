package listen

import (
	"net"
	"net/netip"
	"sync"
)

// hall is where connections are: strangers and guests.
type hall struct {
	mu        sync.Mutex
	strangers []*seat // in the order they came
	guests    int
	closed    bool
}

// seat is one connection's.
type seat struct {
	c    net.Conn
	host netip.Prefix
	in   bool // a guest
}

// enter seats a stranger. If there are too many, the oldest of the host that has most
// of them is shown out.
func (h *hall) enter(c net.Conn) *seat {
	s := &seat{c: c, host: hostOf(c)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		c.Close()
		return s
	}
	h.strangers = append(h.strangers, s)
	if len(h.strangers) <= MaxStrangers {
		return s
	}
	count, most := map[netip.Prefix]int{}, 0
	for _, x := range h.strangers {
		count[x.host]++
		most = max(most, count[x.host])
	}
	for _, x := range h.strangers {
		if count[x.host] == most {
			x.c.Close()
			h.remove(x)
			break
		}
	}
	return s
}

// known makes a stranger a guest, if there is room and it was not shown out.
func (h *hall) known(s *seat) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.remove(s) || h.guests >= MaxGuests {
		return false
	}
	h.guests++
	s.in = true
	return true
}

// leave gives the seat back.
func (h *hall) leave(s *seat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.in {
		h.guests--
	} else {
		h.remove(s)
	}
}

// close shows all strangers out, and whoever comes from now on; guests are told.
func (h *hall) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, s := range h.strangers {
		s.c.Close()
	}
	h.strangers = nil
}

func (h *hall) remove(s *seat) bool {
	for i, x := range h.strangers {
		if x == s {
			h.strangers = append(h.strangers[:i], h.strangers[i+1:]...)
			return true
		}
	}
	return false
}

// hostOf is what counts as one host: an IPv4 address, 64 bits of an IPv6 address.
func hostOf(c net.Conn) netip.Prefix {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := a.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}

package genmail

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"sync"
)

var words = strings.Fields(`lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod
	tempor incididunt ut labore et dolore magna aliqua invoice meeting
	report budget schedule review patch release server mailbox`)

const (
	firstDate   = 1700000000 // received date of message 0, and of maildirfolder
	dateStep    = 61         // seconds between messages
	poolSize    = 1 << 20    // of the text that bodies are cut from
	poolSeed    = 12345      // its seed, always the same
	poolMargin  = 300000     // a body begins at least so far before its end
	minSize     = 400        // smallest size drawn
	maxSize     = 256 << 10  // largest size drawn
	minBody     = 40         // smallest body
	lineLength  = 66         // a line of the pool ends beyond it
	sizeSpread  = 0.7        // sigma of the log-normal distribution of sizes
	contentType = "MIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\n\n"
)

// pool is the text that all bodies are cut from.
var pool = sync.OnceValue(func() []byte {
	r := NewRandom(poolSeed)
	var out bytes.Buffer
	var line []string
	length := 0
	for out.Len() < poolSize {
		w := words[r.Below(len(words))]
		line = append(line, w)
		if length += len(w) + 1; length > lineLength {
			out.WriteString(strings.Join(line, " ") + "\n")
			line, length = line[:0], 0
		}
	}
	return out.Bytes()
})

// Message is what [Draw] decided: small, so that it can wait in a queue
// until it is written.
type Message struct {
	Received int64 // unix seconds
	header   string
	body     []byte // part of the pool; its last byte counts as a newline
}

// Draw draws message i of a mailbox. The tag stands in subject and
// Message-ID; average is the mean size in bytes and must be positive. The
// order of the draws is part of the contract.
func Draw(r *Random, i int, tag string, average int) Message {
	mu := math.Log(float64(average)) - sizeSpread*sizeSpread/2
	size := min(maxSize, max(minSize, int(r.LogNormal(mu, sizeSpread))))
	text := pool()
	header := fmt.Sprintf("Return-Path: <s%d@example.org>\n"+
		"Received: from mx%d.example.org by mail.example.net id %016x\n"+
		"From: Sender %d <s%d@example.org>\n"+
		"To: user@example.net\n"+
		"Subject: %s message %d %s\n"+
		"Date: Tue, 14 Nov 2023 22:13:20 +0000\n"+
		"Message-ID: <%s.%d.%012x@example.org>\n"+contentType,
		i%997, i%7, r.Bits(64), i%997, i%997, tag, i, words[r.Below(len(words))],
		tag, i, r.Bits(48))
	n := max(minBody, size-len(header))
	offset := r.Below(len(text) - poolMargin)
	return Message{Received: firstDate + int64(i)*dateStep, header: header, body: text[offset : offset+n]}
}

// Append appends the message's bytes to buf, for callers that reuse buffers.
func (m Message) Append(buf []byte) []byte {
	buf = append(append(buf, m.header...), m.body...)
	buf[len(buf)-1] = '\n'
	return buf
}

// Sizes is the "S=…,W=…" that names carry for a message of these bytes: its
// size, and its size with CRLF line ends.
func Sizes(data []byte) string {
	return fmt.Sprintf("S=%d,W=%d", len(data), len(data)+bytes.Count(data, []byte{'\n'}))
}

package draw

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"dsync/fuzz/engine"
	"dsync/fuzz/lab"
	"dsync/fuzz/pure"
	"dsync/fuzz/scenario"
	"dsync/fuzz/trace"
)

func record(t *testing.T, e engine.Engine, s *scenario.Scenario) *trace.Trace {
	t.Helper()
	tr, r := trace.Record(e, s, lab.Options{})
	if r.Skipped+r.Failed != "" {
		t.Fatal(r.Skipped + r.Failed)
	}
	return tr
}

func parse(t *testing.T, text string) *scenario.Scenario {
	t.Helper()
	f, err := scenario.Parse("x", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f.Scenarios[0]
}

// The text of a trace that would be markup, if it were not escaped.
const nasty = `</title></style></script><script>alert(1)</script><b onclick='x' "&amp;`

const relay = `scenario "%s\x01"
  note ` + nasty + `
  replicas A B C
  A: create Work
  A: deliver m to INBOX
  A: deliver n to INBOX
  level
  A: flag m in INBOX +\Flagged
  tick
  C: expunge m from INBOX
  B: rename Work to "` + `%s"
  C: delete Work
  sync A B
  sync B C
  C: lose-log
  A: attribute INBOX "%s"
  oneway A C
  backup C B only INBOX
  expect all
    | INBOX
  converge
`

func relayed(t *testing.T) *trace.Trace {
	quoted := strings.ReplaceAll(nasty, `"`, `\"`)
	name := strings.NewReplacer(`"`, "", "/", "", "*", "", "&", "").Replace(nasty)
	return record(t, engine.Memory(), parse(t, fmt.Sprintf(relay, quoted, name, quoted)))
}

// walk reads XML strictly and gives what stands in it.
func walk(t *testing.T, text []byte) (classes map[string]int, all string) {
	t.Helper()
	classes = map[string]int{}
	var b strings.Builder
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return classes, b.String()
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			if strings.EqualFold(x.Name.Local, "script") || strings.EqualFold(x.Name.Local, "b") {
				t.Errorf("an element <%s> came of the text", x.Name.Local)
			}
			for _, a := range x.Attr {
				if strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("an attribute %s came of the text", a.Name.Local)
				}
				if a.Name.Local == "class" {
					for _, c := range strings.Fields(a.Value) {
						classes[c]++
					}
				}
			}
		case xml.CharData:
			b.Write(x)
		}
	}
}

func TestSVG(t *testing.T) {
	text, err := SVG(relayed(t))
	if err != nil {
		t.Fatal(err)
	}
	classes, all := walk(t, text)
	for class, want := range map[string]int{"lane": 3, "name": 3, "op": 8, "fate": 1, "level": 1, "tick": 1, "thick": 1, "expect": 1, "unmet": 1} {
		if classes[class] != want {
			t.Errorf("%d of class %s, want %d", classes[class], class, want)
		}
	}
	if classes["run"] < 5 || classes["over"] < 2 || !strings.Contains(all, nasty+"\ufffd") {
		t.Errorf("%v\n%s", classes, all)
	}
	again, err := SVG(relayed(t))
	if err != nil || !bytes.Equal(text, again) {
		t.Error("the same history gives another image")
	}
}

var outside = regexp.MustCompile(`(?i)(src|xlink:href)=|@import|https?:|url\([^#]|<link|<img|<iframe`)

// The page refers to nothing outside of itself, and no text of it is markup.
func TestPageIsAlone(t *testing.T) {
	tr := relayed(t)
	text, err := HTML(tr)
	if err != nil {
		t.Fatal(err)
	}
	if found := outside.FindAll(text, -1); len(found) > 0 {
		t.Errorf("refers to %q", found)
	}
	if n := bytes.Count(bytes.ToLower(text), []byte("<script")); n != 1 {
		t.Errorf("%d scripts", n)
	}
	if !bytes.Contains(text, []byte(`content="default-src 'none';`)) {
		t.Error("no content security policy")
	}
	tr.Events = make([]trace.Event, MaxRows+1)
	if _, err := HTML(tr); !errors.Is(err, ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

// What conflicts of the matrix decided against is found among the events. Scenarios
// whose conflict is about no event of its own are listed.
func TestOverridden(t *testing.T) {
	f, _, err := scenario.Read("../testdata/matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	unmatched := map[string]bool{
		"CR x DL: rule 19, deleted and made again here, mail there": true, // the old mailbox was lost: by the deletion, which stands
	}
	for _, s := range f.Scenarios {
		tr := record(t, engine.Pure{}, s)
		told := 0
		for i := range tr.Events {
			if r := tr.Events[i].Report; r != nil {
				told += len(r.Conflicts)
			}
		}
		over := overridden(tr)
		if (told > 0 && len(over) == 0) != unmatched[s.Name] {
			t.Errorf("%s: %d conflicts, %d events overridden", s.Name, told, len(over))
		}
		if told == 0 && len(over) > 0 {
			t.Errorf("%s: no conflict, but %v", s.Name, over)
		}
	}
	s := parse(t, "scenario x\nA: deliver m to INBOX\nA: create X\nA: create Y\nlevel\nA: move m from INBOX to X\nA: flag m in X +\\Seen\ntick\nB: move #1 from INBOX to Y\nsync A B\n")
	got := map[string]bool{}
	tr := record(t, engine.Pure{}, s)
	for i, fs := range overridden(tr) {
		got[fmt.Sprint(tr.Events[i].Do, " rule ", fs[0].rule)] = true
	}
	if want := map[string]bool{"A: move m from INBOX to X rule 5": true}; !reflect.DeepEqual(got, want) {
		t.Errorf("overridden: %v, want %v", got, want)
	}
}

// In a real browser: the lanes, dots and lines are there, a row shows its state by
// address, click, hover and key, nothing is asked for and nothing is complained of,
// in light and dark.
func TestInBrowser(t *testing.T) {
	b := newBrowser(t)
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		tr   *trace.Trace
	}{
		{"relay", relayed(t)},
		{"long", record(t, engine.Pure{}, long())},
	} {
		text, err := HTML(c.tr)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.name+".html")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		b.look(c.name, "file://"+path, c.tr)
	}
	// The watch has teeth: what the policy forbids is seen.
	bad := filepath.Join(dir, "bad.html")
	text, _ := HTML(relayed(t))
	if err := os.WriteFile(bad, bytes.Replace(text, []byte("</main>"), []byte("</main><script>document.title='x'</script>"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open("file://" + bad)
	if len(b.console) == 0 || eval[string](b, "document.title") == "x" {
		t.Errorf("a script that the policy forbids: %v", b.console)
	}
}

func long() *scenario.Scenario {
	s := &scenario.Scenario{Name: "sixty steps", Replicas: []string{"home", "work", "phone", "archive"}}
	s.Steps = append(engine.Steps(pure.Kind{Replicas: 4, Ops: 60, Parts: true}.Generate(rand.New(rand.NewPCG(5, 11))), s.Replicas), scenario.Step{Verb: scenario.Converge})
	return s
}

func (b *browser) look(name, url string, tr *trace.Trace) {
	t := b.t
	t.Helper()
	b.open(url + "#step=3")
	p, err := arrange(tr)
	if err != nil {
		t.Fatal(err)
	}
	count := func(what string) int { return eval[int](b, "document.querySelectorAll('svg.picture "+what+"').length") }
	runs, dots := 0, 0
	for _, r := range p.Rows {
		switch r.Kind {
		case "run":
			runs++
		case "op", "fate":
			dots++
		}
	}
	if l, d, r := count(".lane"), count(".dot"), count(".run-line"); l != len(p.Lanes) || d != dots || r != runs || runs == 0 || dots == 0 {
		t.Errorf("%s: %d lanes, %d dots, %d runs; want %d, %d, %d", name, l, d, r, len(p.Lanes), dots, runs)
	}
	shown := func(how string, n int) {
		t.Helper()
		got := eval[[]string](b, "Array.from(document.querySelectorAll('.panel')).filter(p => p.offsetHeight > 0).map(p => p.id)")
		if len(got) != 1 || got[0] != fmt.Sprintf("step=%d", n) {
			t.Errorf("%s, by %s: shown is %v, want row %d", name, how, got, n)
		}
	}
	shown("address", 3)
	box := eval[string](b, "document.querySelector('.panel.on').innerText")
	if !strings.Contains(box, p.Rows[2].Panel.Title) || !strings.Contains(box, p.Lanes[0].Name+" ") && !strings.Contains(box, "INBOX") {
		t.Errorf("%s: row 3 says %q", name, box)
	}
	at := func(n int) (x, y float64) {
		xy := eval[[]float64](b, fmt.Sprintf("(r => [r.left + 30, r.top + r.height / 2])(document.querySelectorAll('a.row')[%d].querySelector('.hit').getBoundingClientRect())", n-1))
		return xy[0], xy[1]
	}
	x, y := at(5)
	b.mouse(x, y, "mouseMoved")
	shown("hover", 5)
	x, y = at(6)
	b.mouse(x, y, "mouseMoved", "mousePressed", "mouseReleased")
	shown("click", 6)
	if hash := eval[string](b, "location.hash"); hash != "#step=6" {
		t.Errorf("%s: after a click the address ends in %q", name, hash)
	}
	b.mouse(5, 5, "mouseMoved") // away
	b.key("ArrowDown")
	shown("arrow key", 7)
	b.key("End")
	shown("End", len(p.Rows))
	var light color.Color
	for _, scheme := range []string{"light", "dark"} {
		b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		png := b.screenshot()
		if dir := os.Getenv("DSYNC_SCREENSHOTS"); dir != "" {
			os.WriteFile(filepath.Join(dir, name+"-"+scheme+".png"), png, 0o644)
		}
		img, _, err := image.Decode(bytes.NewReader(png))
		if err != nil {
			t.Fatal(err)
		}
		colours := map[color.Color]int{}
		for y := 0; y < img.Bounds().Dy(); y += 2 {
			for x := 0; x < img.Bounds().Dx(); x += 2 {
				colours[img.At(x, y)]++
			}
		}
		if len(colours) < 20 {
			t.Errorf("%s, %s: the picture has %d colours", name, scheme, len(colours))
		}
		if paper := img.At(img.Bounds().Dx()-3, 3); light == nil {
			light = paper
		} else if paper == light {
			t.Errorf("%s: dark is as light", name)
		}
	}
	if len(b.console) > 0 {
		t.Errorf("%s: the page is complained of: %s", name, strings.Join(b.console, "\n"))
	}
}

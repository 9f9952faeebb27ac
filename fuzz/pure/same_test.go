package pure

import (
	"reflect"
	"testing"

	"dsync/changelog"
	"dsync/store"
)

// Entries that differ in any field are not the same; a field that is added must be
// compared.
func TestSameComparesEveryField(t *testing.T) {
	differ(t, &changelog.Message{}, sameMessage)
	differ(t, &changelog.Node{GUIDs: []store.MailboxGUID{{}}}, sameNode)
	differ(t, &changelog.Bare{}, sameBare)
}

func differ[T any](t *testing.T, from *T, same func(a, b *T) bool) {
	t.Helper()
	for i := range reflect.TypeFor[T]().NumField() {
		other := *from
		f := reflect.ValueOf(&other).Elem().Field(i)
		if past, ok := f.Addr().Interface().(*changelog.Dots); ok {
			past.Add(changelog.Dot{Replica: changelog.Replica{ID: 1}, Seq: 1})
		} else {
			f.Set(other1(f.Type()))
		}
		if same(from, &other) || !same(from, from) {
			t.Errorf("%T: a difference in %s is not seen", *from, reflect.TypeFor[T]().Field(i).Name)
		}
	}
}

// other1 is a value of a type that is not its zero value.
func other1(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Slice:
		return reflect.MakeSlice(t, 2, 2)
	case reflect.Struct:
		v.Field(0).Set(other1(t.Field(0).Type))
	case reflect.Array:
		v.Index(0).Set(other1(t.Elem()))
	case reflect.String:
		v.SetString("x")
	case reflect.Int64, reflect.Int:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
	return v
}

package bundle

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeRecordsWhatIsAsked(t *testing.T) {
	var in struct {
		Count int
		Rate  float64
		Known bool
		Words []string
		At    time.Time
		Text  string
	}
	got := Describe(func(f *Fields) {
		f.Need("name")
		f.Choice("size", "", "small", "large")
		f.Choices("sizes", "small", "large")
		f.Count("quorum", 1, 1, 9)
		f.Duration("ttl", 0, time.Hour)
		f.Expression("match")
		f.Scalar("value")
		if !f.Has("value") {
			f.Missing("value")
		}
		f.Missing("elsewhere") // of which Has was not asked
		rows := f.Mappings("rows")
		f.Text("after") // the rows are read later
		for _, row := range rows {
			row.Instant("until")
		}
		if m := f.Mapping("inputs"); m != nil {
			v := reflect.ValueOf(&in).Elem()
			for i := range v.NumField() {
				m.Assign(v.Type().Field(i).Name, v.Field(i))
			}
		}
		if m := f.Mapping("thresholds"); m != nil {
			for _, k := range m.Keys() {
				m.Number(k)
			}
		}
		f.Done("a probe")
	})
	field := func(name string, s Shape) *Field { return &Field{Name: name, Shape: s} }
	options := []string{"small", "large"}
	want := []*Field{
		field("name", Shape{Form: FormText, Required: true}),
		field("size", Shape{Form: FormText, Options: options}),
		field("sizes", Shape{Form: FormList, Options: options}),
		field("quorum", Shape{Form: FormWhole, Least: 1, Most: 9}),
		field("ttl", Shape{Form: FormDuration}),
		field("match", Shape{Form: FormExpression}),
		field("value", Shape{Form: FormScalar, Required: true}),
		field("rows", Shape{Form: FormMappings, Fields: []*Field{field("until", Shape{Form: FormInstant})}}),
		field("after", Shape{Form: FormText}),
		field("inputs", Shape{Form: FormMapping, Fields: []*Field{
			field("Count", Shape{Form: FormWhole}), field("Rate", Shape{Form: FormNumber}), field("Known", Shape{Form: FormBool}),
			field("Words", Shape{Form: FormList}), field("At", Shape{Form: FormInstant}), field("Text", Shape{Form: FormText}),
		}}),
		field("thresholds", Shape{Form: FormMapping, Fields: []*Field{field(AnyName, Shape{Form: FormNumber})}}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Answering and recording do not mix: a mapping that is read records nothing.
func TestReadingRecordsNothing(t *testing.T) {
	var out Problems
	docs := Read([]File{{Name: "a.yaml", Data: []byte("name: x\n")}}, &out)
	if len(docs) != 1 || docs[0].asks != nil || docs[0].Need("name") != "x" || out.Failed() {
		t.Errorf("%+v %v", docs, out.Sorted())
	}
}

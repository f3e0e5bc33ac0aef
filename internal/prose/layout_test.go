package prose

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/internal/bundle"
	"signalbox.dev/signalbox/internal/policy"
)

func TestFormat(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{
			"order of fields and indentation",
			"# What it is.\nkind:   Gate\napiVersion: signalbox/v1\ncondition: 'true' # always\n# The title.\ntitle: A gate\nname: a\ncontrols:\n- soc2/CC8.1\n- soc2/CC7.1\n",
			"# What it is.\napiVersion: signalbox/v1\nkind: Gate\nname: a\n# The title.\ntitle: A gate\ncondition: 'true' # always\ncontrols:\n  - soc2/CC8.1\n  - soc2/CC7.1\n",
		},
		{"documents keep their order", "kind: Gate\nname: b\n---\nname: a\nkind: Gate\n", "kind: Gate\nname: b\n---\nkind: Gate\nname: a\n"},
		{"what is not known stays last", "zeal: 1\nkind: Gate\nname: b\n", "kind: Gate\nname: b\nzeal: 1\n"},
		{"braces stay braces", "kind: TestCase\ninputs: {service:   {tier: 1}}\nname: x\n", "kind: TestCase\nname: x\ninputs: {service: {tier: 1}}\n"},
		{"nothing", "", ""},
		{"comments above documents", "---\n# a\n\n\n# b\n\nkind: Gate\nname: x\n--- # c\n# d\nkind: Gate\nname: y\n# end\n", "# a\n\n# b\n\nkind: Gate\nname: x\n---\n# c\n# d\nkind: Gate\nname: y\n# end\n"},
		{"texts of several lines", "kind: Gate\nname: x\ndescription: |\n  a\n\n  --- b\n", "kind: Gate\nname: x\ndescription: |\n  a\n\n  --- b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Format(bundle.File{Name: "a.yaml", Data: []byte(tt.in)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFormatRefusesWhatItCannotRead(t *testing.T) {
	for _, in := range []string{"a: [", "a: &x 1\nb: *x\n", "- a\n", "a: 1\na: 2\n"} {
		if got, err := Format(bundle.File{Name: "a.yaml", Data: []byte(in)}); err == nil {
			t.Errorf("%q became %q", in, got)
		}
	}
}

// A packed policy is laid out without a change of meaning, and stays so.
func TestFormattedPacksMeanTheSame(t *testing.T) {
	files := policy.Starter()
	before := compiled(t, files)
	for i, f := range files {
		data, err := Format(f)
		if err != nil {
			t.Fatal(err)
		}
		files[i].Data = data
		if again, err := Format(files[i]); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	all, err := Diff(before, compiled(t, files))
	if err != nil || len(all) > 0 {
		t.Errorf("%v %v", all, err)
	}
}

// A change of meaning is seen, whatever it is.
func TestMeaning(t *testing.T) {
	const base = "a: 1\nb: [x, y]\nc: {d: \"2\"}\n"
	for _, other := range []string{"a: 2\nb: [x, y]\nc: {d: \"2\"}\n", "a: 1\nb: [y, x]\nc: {d: \"2\"}\n", "a: 1\nb: [x, y]\nc: {d: 2}\n", "a: 1\nb: [x, y]\n", base + "---\na: 1\n"} {
		x, _ := meaning([]byte(base))
		if y, err := meaning([]byte(other)); err != nil || x == y {
			t.Errorf("%q means what %q means", other, base)
		}
	}
	x, _ := meaning([]byte(base))
	if y, err := meaning([]byte("# c\nc:\n  d: '2'\nb:\n- x\n- y\na: 1\n")); err != nil || x != y {
		t.Errorf("%q and %q", x, y)
	}
}

func FuzzFormat(f *testing.F) {
	for _, file := range policy.Starter() {
		f.Add(file.Data)
	}
	f.Add([]byte("# a\n\n# b\nkind: Gate # c\n# d\nname: |\n  x\n\n# e\n---\n# f\n"))
	f.Add([]byte("a:\n  # b\n  - c # d\n  # e\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := Format(bundle.File{Name: "a.yaml", Data: data})
		if err != nil {
			return
		}
		before, _ := meaning(data)
		after, _ := meaning(once)
		if before != after {
			t.Errorf("%q became %q", data, once)
		}
	})
}

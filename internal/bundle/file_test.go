package bundle

import "testing"

func TestDigest(t *testing.T) {
	a := []File{{Name: "a.yaml", Data: []byte("x")}, {Name: "b.yaml", Data: []byte("y")}}
	for name, other := range map[string][]File{
		"content":        {{Name: "a.yaml", Data: []byte("x")}, {Name: "b.yaml", Data: []byte("z")}},
		"name":           {{Name: "a.yaml", Data: []byte("x")}, {Name: "c.yaml", Data: []byte("y")}},
		"shifted":        {{Name: "a.yaml", Data: []byte("xb.yaml")}, {Name: "", Data: []byte("y")}},
		"joined":         {{Name: "a.yaml", Data: []byte("x")}},
		"names swapped":  {{Name: "a.yaml", Data: []byte("y")}, {Name: "b.yaml", Data: []byte("x")}},
		"one byte moved": {{Name: "a.yamlx", Data: nil}, {Name: "b.yaml", Data: []byte("y")}},
		"nothing":        nil,
	} {
		if Digest(a) == Digest(other) {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if Digest(a) != Digest([]File{a[1], a[0]}) {
		t.Error("the order of files changes the digest")
	}
	// By hand: printf 'signalbox policy bundle v1\n' and the length-prefixed parts, through sha256sum.
	const want = "sha256:73f7eb845de4ad30439905e48ee6a68200303e1415aa9e52b8a7408898c2a7cd"
	if got := Digest([]File{{Name: "a.yaml", Data: []byte("x")}}); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	files := []File{{Name: "b.yaml", Data: []byte("y")}, {Name: "a.yaml", Data: []byte("x")}}
	all := Clone(files)
	if all[0].Name != "a.yaml" || all[1].Name != "b.yaml" || files[0].Name != "b.yaml" {
		t.Errorf("the copy is %v, of %v", all, files)
	}
	files[1].Data[0] = '#'
	if string(all[0].Data) != "x" {
		t.Error("the copy was changed from outside")
	}
}

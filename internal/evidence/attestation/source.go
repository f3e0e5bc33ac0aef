package attestation

import (
	"net/url"
	"slices"
	"strings"
)

// origin is a repository at a commit.
type origin struct{ repository, ref, commit string }

// originOf is that of a resource with a URI and digests; zero where it is none.
// What is no repository may have digests of any kind, so they are not judged.
func originOf(resource object) origin {
	var o origin
	if o.repository, o.ref = repository(resource.text("uri")); o.repository == "" {
		return origin{}
	}
	d := resource.sub("digest", "gitCommit", "sha1")
	if o.commit = d.digest("gitCommit", 40, 64); o.commit == "" {
		o.commit = d.digest("sha1", 40)
	}
	return o
}

// origins are the repositories among the resources of a list that say their commit.
// SHA-1 alone is that of a commit only where the URI is one of Git's.
func origins(from object, name string) []origin {
	var all []origin
	from.each(name, func(x object) {
		uri := x.text("uri")
		path, _, _ := strings.Cut(uri, "#")
		commits := x.sub("digest").text("gitCommit") != "" || strings.HasPrefix(uri, "git") || strings.HasSuffix(path, ".git")
		if o := originOf(x); commits && o.commit != "" && !slices.Contains(all, o) {
			all = append(all, o)
		}
	}, "uri", "digest")
	return all
}

// asked is the repository that the parameters of a build name, where they do it as
// the build types of GitHub, GitLab, BuildKit and the SLSA generators do.
func asked(parameters object) origin {
	for _, path := range [][]string{{"workflow", "repository"}, {"source", "uri"}, {"source"}} {
		if repo, ref := repository(soft(parameters.members, path...)); repo != "" {
			return origin{repository: repo, ref: ref}
		}
	}
	if soft(parameters.members, "configSource", "uri") == "" {
		return origin{}
	}
	return originOf(parameters.sub("configSource", "uri", "digest"))
}

// from says what was built. Where the build names its repository it is that one,
// at the commit stated for it; else the only repository that was used. Where there
// are several to choose from it stays unknown.
func (s *statement) from(named origin, used []origin) {
	if named.repository != "" && named.commit == "" {
		used = slices.DeleteFunc(slices.Clone(used), func(o origin) bool { return o.repository != named.repository })
		if same(used) {
			named.commit = used[0].commit
			if named.ref == "" && len(used) == 1 {
				named.ref = used[0].ref
			}
		}
	}
	if named.repository == "" && len(used) == 1 {
		named = used[0]
	}
	s.Source, s.Ref, s.Commit = named.repository, named.ref, named.commit
}

// same reports whether there are some, all of one commit.
func same(all []origin) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(o origin) bool { return o.commit != all[0].commit })
}

// repository is that of a URI such as git+https://example.com/shop/payments.git@refs/tags/v1,
// without the tool, the user, the ref and .git; and the ref. "" is no repository.
func repository(uri string) (repo, ref string) {
	u, err := url.Parse(strings.TrimPrefix(uri, "git+"))
	if err != nil || u.Host == "" || u.RawQuery != "" || !slices.Contains([]string{"https", "http", "ssh", "git"}, u.Scheme) {
		return "", ""
	}
	path := u.EscapedPath()
	if i := strings.LastIndexByte(path, '@'); i >= 0 {
		path, ref = path[:i], path[i+1:]
	}
	if u.Fragment != "" { // BuildKit: #ref:folder
		ref, _, _ = strings.Cut(u.Fragment, ":")
	}
	path = strings.TrimSuffix(strings.TrimRight(path, "/"), ".git")
	if path == "" {
		return "", ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host) + path, ref
}

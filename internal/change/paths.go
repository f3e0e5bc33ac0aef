package change

import (
	"path"
	"regexp"
	"strings"
)

// migrations are paths of database migrations, by the habits of Rails, Django,
// Alembic, Flyway, Liquibase, Prisma, golang-migrate, goose, Knex and others.
var migrations = regexp.MustCompile(`(?i)(?:^|/)(?:` + strings.Join([]string{
	`db/migrate/[^/]+\.rb$`,
	`db/migrations?/.+\.[^/]+$`,
	`(?:db|database|sql|schema)/(?:[^/]+/)*migrations?/.+\.[^/]+$`,
	`migrations?/(?:[^/]+/)*[^/]+\.(?:sql|py|rb|php|js|ts|go|cs|xml|ya?ml|json|exs?)$`,
	`alembic/(?:[^/]+/)*versions/[^/]+\.py$`,
	`prisma/migrations/.+$`,
	`[^/]+\.(?:up|down)\.sql$`,
	`[VUR]\d*[0-9._]*__[^/]+\.(?:sql|java|kt)$`,
	`db[._-]?changelog[^/]*\.(?:sql|xml|ya?ml|json)$`,
	`(?:liquibase|(?:db|database)/changelogs?)/.+\.(?:sql|xml|ya?ml|json)$`,
}, "|") + `)`)

var notMigrations = regexp.MustCompile(`(?i)(?:^|/)(?:__init__\.py$|node_modules/|vendor/)`)

// IsMigration reports whether a path is that of a database migration.
func IsMigration(p string) bool { return migrations.MatchString(p) && !notMigrations.MatchString(p) }

var manifests = map[string]bool{
	"go.mod": true, "go.sum": true, "go.work": true, "go.work.sum": true,
	"package.json": true, "package-lock.json": true, "npm-shrinkwrap.json": true, "yarn.lock": true,
	"pnpm-lock.yaml": true, "pnpm-workspace.yaml": true, "bun.lock": true, "bun.lockb": true, "deno.json": true, "deno.lock": true,
	"pom.xml": true, "build.gradle": true, "build.gradle.kts": true, "settings.gradle": true, "settings.gradle.kts": true,
	"gradle.lockfile": true, "libs.versions.toml": true, "build.sbt": true, "project.clj": true, "deps.edn": true,
	"pyproject.toml": true, "setup.py": true, "setup.cfg": true, "pipfile": true, "pipfile.lock": true,
	"poetry.lock": true, "uv.lock": true, "pdm.lock": true, "environment.yml": true, "environment.yaml": true,
	"cargo.toml": true, "cargo.lock": true, "gemfile": true, "gemfile.lock": true, "gems.rb": true, "gems.locked": true,
	"composer.json": true, "composer.lock": true, "packages.config": true, "packages.lock.json": true, "paket.dependencies": true,
	"paket.lock": true, "directory.packages.props": true, "mix.exs": true, "mix.lock": true, "rebar.config": true, "rebar.lock": true,
	"pubspec.yaml": true, "pubspec.lock": true, "podfile": true, "podfile.lock": true, "cartfile": true, "cartfile.resolved": true,
	"package.swift": true, "package.resolved": true, "conanfile.txt": true, "conanfile.py": true, "vcpkg.json": true,
	"chart.yaml": true, "chart.lock": true, "requirements.yml": true, "flake.lock": true, "module.bazel": true, "module.bazel.lock": true,
	"stack.yaml": true, "stack.yaml.lock": true, "cpanfile": true, "renv.lock": true, ".terraform.lock.hcl": true, ".gitmodules": true,
}

var manifestShapes = regexp.MustCompile(`(?i)(?:^|/)(?:requirements(?:[-_.][^/]*)?\.(?:txt|in)|requirements/[^/]+\.(?:txt|in)|constraints\.txt|[^/]+\.(?:cs|fs|vb)proj|[^/]+\.gemspec|[^/]+\.podspec|[^/]+\.cabal)$`)

// IsDependency reports whether a path is that of a manifest or lock file that
// says which other software goes in.
func IsDependency(p string) bool {
	return manifests[strings.ToLower(path.Base(p))] && p != "" || manifestShapes.MatchString(p)
}

var tests = regexp.MustCompile(`(?i)(?:^|/)(?:tests?|testdata|__tests__|e2e|src/(?:it|integrationtest))/|` +
	`(?:_test\.(?:go|py|rb|exs|dart|c|cc|cpp)|(?:^|/)test_[^/]+\.py|(?:^|/)conftest\.py|[._-](?:test|spec)s?\.[cm]?[jt]sx?|_spec\.rb)$|` +
	`(?-i:[a-z0-9](?:Tests?|IT|Spec)\.(?:java|kt|scala|cs|groovy|php|swift))$`)

var notTests = regexp.MustCompile(`(?:^|/)src/main/`)

// IsTest reports whether a path is that of a test or what only tests read.
func IsTest(p string) bool {
	return tests.MatchString(p) && !notTests.MatchString(p) && !IsMigration(p) && !IsDependency(p)
}

var docs = regexp.MustCompile(`(?i)(?:^|/)(?:readme|changelog|changes|history|contributing|authors|notice|copying|code_of_conduct|security|maintainers|licen[cs]e(?:-[a-z0-9.-]+)?)(?:\.txt)?$|` +
	`\.(?:md|markdown|rst|adoc|asciidoc)$|(?:^|/)docs?/(?:[^/]+/)*[^/]+\.(?:txt|png|jpe?g|gif|svg|webp|drawio|puml)$`)

// IsDoc reports whether a path is that of documentation.
func IsDoc(p string) bool { return docs.MatchString(p) && !IsMigration(p) && !IsDependency(p) }

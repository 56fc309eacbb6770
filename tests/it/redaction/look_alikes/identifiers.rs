//! Hashes, identifiers, digests and encoded data.

use super::super::template::Text::{Built, Lines, Once};
use super::super::template::{Table, Texts};
use super::super::values::{base64, base64_of, fill, hex, word};

pub const IDENTIFIERS: Table = &[
    ("git-hashes", GIT_HASHES),
    ("git-diff-index", GIT_DIFFS),
    ("uuids", UUIDS),
    ("short-identifiers", SHORT_IDENTIFIERS),
    ("identifiers-of-services", SERVICE_IDENTIFIERS),
    ("cargo-lock", CARGO_LOCK),
    ("package-lock", PACKAGE_LOCK),
    ("yarn-lock", YARN_LOCK),
    ("go-sum", GO_SUM),
    ("python-hashes", PYTHON_HASHES),
    ("other-lock-files", OTHER_LOCKS),
    ("nix", NIX),
    ("docker", DOCKER),
    ("checksums", CHECKSUMS),
    ("http-headers", HTTP_HEADERS),
    ("integrity-in-html", INTEGRITY),
    ("images-in-base64", IMAGES),
    ("fonts-in-base64", FONTS),
    ("notebook-output", NOTEBOOK),
    ("minified-javascript", MINIFIED),
    ("source-map", SOURCE_MAP),
    ("svg", SVG),
    ("css", CSS),
    ("hex-dump", HEX_DUMP),
    ("disassembly", DISASSEMBLY),
    ("backtrace", BACKTRACE),
    ("symbols", SYMBOLS),
    ("build-ids", BUILD_IDS),
    ("ssh-public-keys", SSH_PUBLIC_KEYS),
    ("certificates", CERTIFICATES),
    ("pem-public-keys", PEM_PUBLIC_KEYS),
    ("signatures", SIGNATURES),
    ("kubernetes-names", KUBERNETES),
    ("file-names-with-hashes", FILE_NAMES),
    ("traces-in-logs", TRACES),
    ("cloud-resource-names", RESOURCES),
    ("addresses-of-chains", CHAINS),
    ("mail-headers", MAIL_HEADERS),
    ("constants-of-ciphers", CIPHER_CONSTANTS),
    ("numbers", NUMBERS),
    ("slugs", SLUGS),
    ("hashes-of-tests", TEST_VECTORS),
];

const GIT_HASHES: Texts = &[
    ("log", Lines(3, "commit «hex 40»\nAuthor: «word» <«word»@example.com>\nDate:   Mon Nov «n 28 1» 10:1«n 9»:00 2026 +0100\n\n    Fix the «word» page")),
    ("log --oneline", Lines(8, "«hex 9» «Add|Remove|Rename|Fix|Cache|Test» «word» of «word»")),
    ("ls-tree", Lines(8, "100644 blob «hex 40»\tsrc/«word».rs")),
    ("rev-parse", Once("«hex 40»\n")),
    ("reflog", Lines(5, "«hex 7» HEAD@{«n 30»}: commit: «word» and «word»")),
    ("show-ref", Lines(5, "«hex 40» refs/heads/«word»/«word»")),
    ("submodules", Lines(4, " «hex 40» vendor/«word» (v1.«n 9».«n 9»-«n 90»-g«hex 8»)")),
    ("push", Once("To github.com:acme/«word».git\n   «hex 10»..«hex 10»  main -> main\n")),
    ("workflow", Lines(5, "      - uses: actions/«word»@«hex 40» # v4.«n 9».0")),
    ("cherry-pick", Once("(cherry picked from commit «hex 40»)\n")),
    ("sha256 repository", Lines(3, "commit «hex 64»")),
];

const GIT_DIFFS: Texts = &[
    ("diff", Once("diff --git a/src/«f=word».rs b/src/«f».rs\nindex «hex 10»..«hex 10» 100644\n--- a/src/«f».rs\n+++ b/src/«f».rs\n@@ -«n 90»,«n 9» +«n 90»,«n 9» @@ fn «word»() {\n-    let n = «n 99»;\n+    let n = «n 99»;\n")),
];

const UUIDS: Texts = &[
    ("list", Lines(6, "«uuid»")),
    ("log", Lines(6, "«time» INFO user=«uuid» opened document «uuid»")),
    ("json", Lines(4, "{\"id\":\"«uuid»\",\"parentId\":\"«uuid»\",\"name\":\"«word»\"}")),
    ("sql", Lines(4, "INSERT INTO «word»s VALUES ('«uuid»', '«word»', now());")),
    ("url", Lines(4, "https://app.«word».example/projects/«uuid»/edit")),
    ("braces", Lines(3, "    <ProjectGuid>{«UUID»}</ProjectGuid>")),
    ("blkid", Lines(3, "/dev/sd«a|b|c»1: UUID=\"«uuid»\" TYPE=\"ext4\" PARTUUID=\"«uuid»\"")),
    ("time-ordered", Lines(5, "«019[0-9a-f]{5}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}»")),
];

const SHORT_IDENTIFIERS: Texts = &[
    ("ulid", Lines(6, "event «01[0-9A-HJKMNP-TV-Z]{24}» stored")),
    ("ksuid", Lines(5, "order: «2[A-Za-z0-9]{26}»")),
    ("object id", Lines(6, "{ \"_id\": ObjectId(\"«6[0-9a-f]{23}»\"), \"name\": \"«word»\" }")),
    ("snowflake", Lines(5, "message «1[0-9]{18}» in channel «1[0-9]{18}»")),
    ("nanoid", Lines(5, "<div id=\"«[A-Za-z][A-Za-z0-9_-]{20}»\" class=\"«word»\">")),
    ("video", Lines(4, "https://www.youtube.com/watch?v=«[A-Za-z0-9_-]{11}»&t=«n 900»s")),
    ("cuid", Lines(5, "row «cl[a-z0-9]{23}» updated")),
    ("job", Lines(5, "Submitted batch job «n 9000000» to «word»-«word»")),
];

const SERVICE_IDENTIFIERS: Texts = &[
    ("stripe", Lines(4, "«time» «cus|sub|in|price|prod|evt|ch»_«[A-Za-z0-9]{14}» updated")),
    ("slack", Lines(4, "posted to C«0[A-Z0-9]{9}» by U«0[A-Z0-9]{9}»")),
    ("google client", Once("client_id: «[0-9]{12}-[a-z0-9]{32}».apps.googleusercontent.com\n")),
    ("aws resources", Lines(5, "i-«hex 17»  subnet-«hex 17»  sg-«hex 17»  running")),
    ("message of an agent", Lines(3, "{\"type\":\"tool_use\",\"id\":\"toolu_«01[A-Za-z0-9]{22}»\",\"name\":\"Bash\"}")),
    ("jira", Lines(4, "«WORD»-«n 9000»: «Fix|Test» the «word» page")),
    ("merge request", Lines(4, "https://gitlab.example.com/«word»/«word»/-/merge_requests/«n 900»#note_«n 90000000»")),
    ("analytics", Lines(3, "gtag('config', 'G-«[A-Z0-9]{10}»');")),
    ("arn of a task", Lines(3, "arn:aws:ecs:eu-west-1:123456789012:task/«word»/«hex 32»")),
];

const CARGO_LOCK: Texts = &[
    ("file", Lines(4, "[[package]]\nname = \"«word»\"\nversion = \"0.«n 30».«n 30»\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"«hex 64»\"\ndependencies = [\n \"«word»\",\n]\n")),
    ("git source", Once("source = \"git+https://github.com/acme/«word»?rev=«hex 7»#«hex 40»\"\n")),
];

const PACKAGE_LOCK: Texts = &[
    ("npm", Lines(4, "    \"node_modules/«a=word»\": {\n      \"version\": \"«b=n 9».«c=n 30».0\",\n      \"resolved\": \"https://registry.npmjs.org/«a»/-/«a»-«b».«c».0.tgz\",\n      \"integrity\": \"sha512-«d=base64 64»\",\n      \"license\": \"MIT\"\n    },")),
    ("sha1", Lines(3, "      \"integrity\": \"sha1-«base64 20»\",")),
    ("pnpm", Lines(4, "  «word»@«n 9».0.«n 9»:\n    resolution: {integrity: sha512-«base64 64»}\n    engines: {node: '>=18'}")),
    ("bun", Lines(3, "    \"«a=word»\": [\"«a»@«b=n 9».0.0\", \"\", {}, \"sha512-«c=base64 64»\"],")),
];

const YARN_LOCK: Texts = &[
    ("classic", Lines(3, "«a=word»@^«b=n 9».0.0:\n  version \"«b».«c=n 9».0\"\n  resolved \"https://registry.yarnpkg.com/«a»/-/«a»-«b».«c».0.tgz#«d=hex 40»\"\n  integrity sha512-«e=base64 64»\n")),
    ("berry", Lines(3, "\"«a=word»@npm:^«b=n 9».0.0\":\n  version: «b».0.2\n  resolution: \"«a»@npm:«b».0.2\"\n  checksum: 10c0/«c=hex 128»\n  languageName: node\n  linkType: hard\n")),
];

const GO_SUM: Texts = &[
    ("file", Lines(6, "github.com/«a=word»/«b=word» v1.«c=n 30».0 h1:«d=base64 32»\ngithub.com/«a»/«b» v1.«c».0/go.mod h1:«e=base64 32»")),
    ("pseudo version", Lines(4, "\tgolang.org/x/«word» v0.0.0-20260«n 9 1»2«n 9»101500-«hex 12» // indirect")),
];

const PYTHON_HASHES: Texts = &[
    ("requirements", Lines(3, "«word»==«n 9».«n 9».0 \\\n    --hash=sha256:«hex 64» \\\n    --hash=sha256:«hex 64»")),
    ("poetry", Lines(3, "    {file = \"«word»-«n 9».0-py3-none-any.whl\", hash = \"sha256:«hex 64»\"},")),
    ("uv", Lines(3, "sdist = { url = \"https://files.pythonhosted.org/packages/«hex 2»/«hex 2»/«hex 60»/«word»-1.0.tar.gz\", hash = \"sha256:«hex 64»\", size = «n 90000» }")),
    ("pipfile", Lines(3, "                \"sha256:«hex 64»\",")),
    ("content-hash", Once("[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.12\"\ncontent-hash = \"«hex 64»\"\n")),
];

const OTHER_LOCKS: Texts = &[
    ("gemfile", Lines(4, "  «word» («n 9».«n 9».0) sha256=«hex 64»")),
    ("composer", Once("            \"dist\": {\n                \"type\": \"zip\",\n                \"url\": \"https://api.github.com/repos/«a=word»/«b=word»/zipball/«c=hex 40»\",\n                \"reference\": \"«c»\",\n                \"shasum\": \"\"\n            },\n    \"content-hash\": \"«d=hex 32»\",\n")),
    ("terraform", Once("  hashes = [\n    \"h1:«base64 32»\",\n    \"zh:«hex 64»\",\n    \"zh:«hex 64»\",\n  ]\n")),
    ("mix", Lines(3, "  \"«a=word»\": {:hex, :«a», \"1.«b=n 9».0\", \"«c=hex 64»\", [:mix], [], \"hexpm\", \"«d=hex 64»\"},")),
    ("podfile", Lines(4, "  «word»: «hex 40»")),
    ("swift", Once("      \"state\" : {\n        \"revision\" : \"«hex 40»\",\n        \"version\" : \"1.«n 9».0\"\n      }\n")),
    ("pub", Once("  «a=word»:\n    dependency: transitive\n    description:\n      name: «a»\n      sha256: \"«b=hex 64»\"\n      url: \"https://pub.dev\"\n")),
    ("deno", Lines(3, "    \"jsr:@std/«word»@1.0.«n 9»\": { \"integrity\": \"«hex 64»\" },")),
    ("gradle", Lines(3, "         <sha256 value=\"«hex 64»\" origin=\"Generated by Gradle\"/>")),
];

const NIX: Texts = &[
    ("store", Lines(6, "/nix/store/«[0-9a-df-np-sv-z]{32}»-«word»-«n 9».«n 30»")),
    ("flake", Once("        \"lastModified\": 17«[0-9]{8}»,\n        \"narHash\": \"sha256-«base64 32»\",\n        \"rev\": \"«hex 40»\",\n")),
    ("fetch", Once("  src = fetchFromGitHub {\n    owner = \"«word»\";\n    rev = \"v1.«n 9»\";\n    hash = \"sha256-«base64 32»\";\n  };\n  cargoHash = \"sha256-«base64 32»\";\n")),
    ("mismatch", Once("error: hash mismatch in fixed-output derivation\n         specified: sha256-«base64 32»\n            got:    sha256-«base64 32»\n")),
];

const DOCKER: Texts = &[
    ("pull", Once("«hex 12»: Pull complete\n«hex 12»: Pull complete\nDigest: sha256:«hex 64»\nStatus: Downloaded newer image for «word»:latest\n")),
    ("from", Once("FROM docker.io/library/«word»:1.«n 30»@sha256:«hex 64»\n")),
    ("ps", Lines(3, "«hex 12»   «word»:1.«n 9»   \"/entrypoint.sh\"   «n 9» hours ago   Up «n 9» hours   0.0.0.0:«n 999 3000»->80/tcp   «word»_«word»")),
    ("images", Lines(3, "«word»    latest    «hex 12»   «n 90» days ago   «n 900»MB")),
    ("build", Lines(4, " => exporting layers sha256:«hex 64» «n 9».«n 9»s")),
    ("inspect", Once("        \"Id\": \"sha256:«hex 64»\",\n        \"RepoDigests\": [\n            \"«word»@sha256:«hex 64»\"\n        ],\n")),
    ("volume", Lines(2, "local     «hex 64»")),
];

const CHECKSUMS: Texts = &[
    ("sha256sum", Lines(5, "«hex 64»  dist/«word»-1.«n 9».tar.gz")),
    ("md5sum", Lines(5, "«hex 32»  «word».iso")),
    ("sha1sum", Lines(5, "«hex 40» *«word».zip")),
    ("bsd", Lines(4, "SHA256 («word»-«n 9».tgz) = «hex 64»")),
    ("b2sum", Lines(2, "«hex 128»  «word».bin")),
    ("file with the sum", Once("«hex 64»\n")),
    ("homebrew", Once("  url \"https://example.com/«word»-1.«n 9».tar.gz\"\n  sha256 \"«hex 64»\"\n")),
    ("arch", Once("sha256sums=('«hex 64»'\n            '«hex 64»')\n")),
    ("cache key", Once("Cache restored from key: Linux-cargo-«hex 64»\n")),
    ("migration", Lines(3, " «n 90» | 2026«[01][0-9]{9}»_add_«word» | «hex 64»")),
];

const HTTP_HEADERS: Texts = &[
    ("curl -I", Once("HTTP/2 200\ndate: Mon, 30 Nov 2026 10:00:00 GMT\netag: \"«hex 32»\"\nx-request-id: «uuid»\ncf-ray: «hex 16»-FRA\nx-amz-id-2: «base64 57»\nx-amz-request-id: «[A-Z0-9]{16}»\nx-cache: Hit from cloudfront\nx-amz-cf-id: «[A-Za-z0-9_-]{54}»==\nstrict-transport-security: max-age=63072000\n")),
    ("weak etag", Once("ETag: W/\"«hex 4»-«[A-Za-z0-9+/]{27}»\"\nVary: Accept-Encoding\nLast-Modified: Tue, 03 Mar 2026 08:12:«n 60» GMT\n")),
    ("github", Once("x-github-request-id: «[0-9A-F]{4}»:«[0-9A-F]{6}»:«[0-9A-F]{7}»:«[0-9A-F]{8}»\nx-ratelimit-remaining: «n 5000»\nx-ratelimit-reset: 17«[0-9]{8}»\n")),
    ("challenge", Once("< HTTP/1.1 401 Unauthorized\n< WWW-Authenticate: Bearer realm=\"https://auth.«word».example/token\",service=\"registry\"\n< WWW-Authenticate: Basic realm=\"«word»\"\n")),
    ("trace context", Once("traceparent: 00-«hex 32»-«hex 16»-01\ntracestate: «word»=«hex 16»\n")),
    ("websocket", Once("Upgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Accept: «base64 20»\n")),
];

const INTEGRITY: Texts = &[
    ("script", Lines(3, "<script src=\"https://cdn.jsdelivr.net/npm/«word»@«n 9».«n 9».0/dist/index.min.js\" integrity=\"sha384-«base64 48»\" crossorigin=\"anonymous\"></script>")),
    ("policy", Once("Content-Security-Policy: script-src 'self' 'sha256-«base64 32»' 'sha256-«base64 32»'\n")),
    ("link", Once("<link rel=\"stylesheet\" href=\"/«word».css\" integrity=\"sha512-«base64 64»\">\n")),
];

const IMAGES: Texts = &[
    ("data url", Once("<img alt=\"«word»\" src=\"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA«base64 600»\">\n")),
    ("css", Once(".«word» { background: url(data:image/svg+xml;base64,«base64 300»); }\n")),
    ("json", Once("{\"mime\":\"image/jpeg\",\"data\":\"/9j/4AAQSkZJRgABAQ«base64 900»\"}\n")),
    ("gif", Once("data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7\n")),
    ("lines", Once("iVBORw0KGgoAAAANSUhEUgAA\n«base64_lines 480»\n")),
    ("tool result", Once("{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"iVBORw0KGgo«base64 1200»\"}}\n")),
];

const FONTS: Texts = &[
    ("css", Once("@font-face {\n  font-family: '«word»';\n  src: url(data:font/woff2;base64,d09GMgABAAAAA«base64 1500») format('woff2');\n}\n")),
];

const NOTEBOOK: Texts = &[
    ("png", Once("   \"outputs\": [\n    {\n     \"data\": {\n      \"image/png\": \"iVBORw0KGgoAAAANSUhEUgAAA«base64 800»\\n\",\n      \"text/plain\": [\"<Figure size 640x480 with 1 Axes>\"]\n     },\n     \"execution_count\": «n 90»,\n     \"output_type\": \"display_data\"\n    }\n   ]\n   \"id\": \"«hex 8»\",\n")),
];

const MINIFIED: Texts = &[
    (
        "bundle",
        Built(|r| {
            let part = || -> &'static str {
                "function(e,t,n){\"use strict\";Object.defineProperty(t,\"__esModule\",{value:!0});var r=n(42),o=n.n(r),i=n(137);t.default=function(e){var t=e.token,n=e.password;return o.a.createElement(\"input\",{type:\"password\",value:n,key:t,onChange:function(t){return e.onPassword(t.target.value)}})}},"
            };
            format!(
                "!function(e){{var t={{}};function n(r){{if(t[r])return t[r].exports;var o=t[r]={{i:r,l:!1,exports:{{}}}};return e[r].call(o.exports,o,o.exports,n),o.l=!0,o.exports}}n.m=e,n.c=t,n.d=function(e,t,r){{n.o(e,t)||Object.defineProperty(e,t,{{enumerable:!0,get:r}})}}}}([{}{}]);\n",
                part().repeat(3 + r.below(6) as usize),
                word(r)
            )
        }),
    ),
    ("terser", Once("const «[a-zA-Z]{1,2}»=«[a-z]»=>({a:«n 999»,b:\"«word»\",c:«[a-z][A-Z][a-z]»});const «[a-zA-Z]{1,2}»=«[a-z]»=>({a:«n 999»,b:\"«word»\",c:«[a-z][A-Z][a-z]»});const «[a-zA-Z]{1,2}»=(«[a-z]»,t)=>t.token?«[a-z]»(t.password):null;\n")),
    ("chunk table", Once("e.u=function(e){return\"static/js/\"+e+\".\"+{12:\"«hex 8»\",37:\"«hex 8»\",95:\"«hex 8»\",141:\"«hex 8»\"}[e]+\".chunk.js\"};\n")),
    ("webpack hash", Once("__webpack_require__.h=()=>(\"«hex 20»\");\n")),
];

const SOURCE_MAP: Texts = &[
    (
    "mappings",
    Built(|r| {
        let mappings: Vec<String> = (0..80).map(|_| fill(r, "[A-Za-z]{4,9}")).collect();
        format!(
            "{{\"version\":3,\"file\":\"{}.js\",\"sources\":[\"../src/{}.ts\"],\"names\":[\"token\",\"password\",\"{}\"],\"mappings\":\"{}\"}}\n",
            word(r),
            word(r),
            word(r),
            mappings.join(",").replace(",A", ";A")
        )
    }),
),
];

const SVG: Texts = &[
    (
    "path",
    Built(|r| {
        let mut points = || {
            (0..12)
                .map(|_| {
                    format!("c{}.{} {}.{}", r.below(24), r.below(99), r.below(24), r.below(99))
                })
                .collect::<Vec<_>>()
                .join("")
        };
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 24 24\">\n  <path d=\"M12 2{}z\" fill=\"#1a2b3c\"/>\n  <path d=\"M3 4{}z\"/>\n</svg>\n",
            points(),
            points()
        )
    }),
),
];

const CSS: Texts = &[
    ("modules", Lines(5, ".«word»_«word»__«[A-Za-z0-9]{5}» { color: #«hex 6»; margin: 0 «n 90»px; }")),
    ("variables", Once(":root {\n  --token-color-«word»: #«hex 8»;\n  --token-size-«word»: «n 90»px;\n  --key-color: #«hex 6»;\n}\n")),
    ("utilities", Once("<div class=\"mt-«n 9» md:grid-cols-[minmax(0,1fr)_«n 900»px] bg-[#«hex 6»] data-[state=open]:animate-in\">\n")),
    ("styled", Lines(3, "<button class=\"css-«[a-z0-9]{7}» sc-«[a-zA-Z]{6}»-0 «[a-zA-Z]{6}»\">")),
];

const HEX_DUMP: Texts = &[
    ("xxd", Lines(8, "«hex 8»: «hex 4» «hex 4» «hex 4» «hex 4» «hex 4» «hex 4» «hex 4» «hex 4»  ................")),
    ("hexdump -C", Lines(8, "«hex 8»  «hex 2» «hex 2» «hex 2» «hex 2» «hex 2» «hex 2» «hex 2» «hex 2»  «hex 2» «hex 2» «hex 2» «hex 2»  |............|")),
    ("array in c", Lines(5, "  0x«hex 2», 0x«hex 2», 0x«hex 2», 0x«hex 2», 0x«hex 2», 0x«hex 2», 0x«hex 2», 0x«hex 2»,")),
    ("plain", Lines(4, "«hex 60»")),
];

const DISASSEMBLY: Texts = &[
    ("objdump", Lines(8, "  «hex 6»:\t«hex 2» «hex 2» «hex 2» «hex 2» «hex 2» «hex 2» «hex 2»\t«mov|lea|cmp»    0x«hex 6»(%rip),%rax        # «hex 6» <«word»+0x«hex 2»>")),
];

const BACKTRACE: Texts = &[
    ("rust", Lines(5, "  «n 40»: 0x«hex 12» - «word»::«word»::h«hex 16»\n             at /rustc/«hex 40»/library/core/src/ops/function.rs:250:5")),
    ("go", Lines(4, "main.«word»(0xc«hex 9», {0xc«hex 9», 0x«hex 2»})\n\t/src/«word».go:«n 900» +0x«hex 3»")),
    ("c", Lines(5, "#«n 20»  0x«hex 16» in «word»_«word» (ctx=0x«hex 12») at «word».c:«n 900»")),
    ("kernel", Lines(4, "[«n 900».«[0-9]{6}»] RIP: 0010:«word»+0x«hex 2»/0x«hex 3» RAX: «hex 16» RBX: «hex 16»")),
    ("java", Lines(5, "\tat com.example.«word».TokenAuthenticationFilter.doFilterInternal(TokenAuthenticationFilter.java:«n 400») ~[«word»-1.«n 9».jar!/:na]")),
    ("python object", Lines(3, "<«word».PasswordHasher object at 0x«hex 12»>")),
];

const SYMBOLS: Texts = &[
    ("rust", Lines(5, "«hex 16» T _ZN«n 9 4»«word»«n 9 4»«word»17h«hex 16»E")),
    ("rust v0", Lines(4, "«hex 16» t _RNvNtCs«[a-zA-Z0-9]{11}»_6«word»5tests8«word»")),
    ("c++", Lines(4, "undefined reference to `_ZNSt6vectorI«n 9 3»«word»SaIS0_EE12emplace_backIJRKS0_EEERS0_DpOT_'")),
    ("nm", Lines(4, "«hex 16» B «word»_token_table")),
    ("linker", Lines(3, "          /usr/bin/ld: target/debug/deps/«word»-«hex 16».«word».«hex 16»-cgu.«n 16».rcgu.o: in function `main'")),
];

const BUILD_IDS: Texts = &[
    ("file", Once("bin/«word»: ELF 64-bit LSB pie executable, x86-64, dynamically linked, BuildID[sha1]=«hex 40», stripped\n")),
    ("readelf", Once("    Build ID: «hex 40»\n")),
    ("next.js", Once("/_next/static/«[A-Za-z0-9_-]{21}»/_buildManifest.js\n")),
    ("semver", Lines(4, "«word» 2.«n 9».«n 30»-nightly.2026110«n 9»+«hex 9»")),
    ("dsym", Once("UUID: «UUID» (arm64) «word»\n")),
    ("go", Once("build\tvcs.revision=«hex 40»\nbuild\tvcs.modified=false\n\tpath\tgithub.com/acme/«word»\n")),
];

const SSH_PUBLIC_KEYS: Texts = &[
    ("authorized_keys", Lines(3, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI«[A-Za-z0-9+/]{43}» «word»@laptop")),
    ("rsa", Once("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ«[A-Za-z0-9+/]{510}» «word»@«word»\n")),
    ("known_hosts", Lines(3, "«host» ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABB«[A-Za-z0-9+/]{87}»=")),
    ("hashed known_hosts", Once("|1|«base64 20»|«base64 20» ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI«[A-Za-z0-9+/]{43}»\n")),
    ("fingerprint", Once("ED25519 key fingerprint is SHA256:«[A-Za-z0-9+/]{43}».\nThis key is not known by any other names.\n256 SHA256:«[A-Za-z0-9+/]{43}» «word»@laptop (ED25519)\n")),
    ("sign", Once("Good \"git\" signature for «word»@example.com with ED25519 key SHA256:«[A-Za-z0-9+/]{43}»\n")),
];

const CERTIFICATES: Texts = &[
    ("pem", Once("-----BEGIN CERTIFICATE-----\n«base64_lines 700»\n-----END CERTIFICATE-----\n")),
    ("request", Once("-----BEGIN CERTIFICATE REQUEST-----\n«base64_lines 500»\n-----END CERTIFICATE REQUEST-----\n")),
    (
        "kubeconfig",
        Built(|r| {
            let certificate = base64_of(&format!(
                "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
                base64(r, 500)
            ));
            format!(
                "- cluster:\n    certificate-authority-data: {certificate}\n    server: https://10.0.0.{}:6443\n",
                r.below(250)
            )
        }),
    ),
    (
        "openssl x509",
        Built(|r| {
            let mut pairs = |n: usize| (0..n).map(|_| hex(r, 2)).collect::<Vec<_>>().join(":");
            format!(
                "        Serial Number:\n            {}\n            X509v3 Subject Key Identifier:\n                {}\n    Signature Value:\n        {}\n",
                pairs(18),
                pairs(20).to_uppercase(),
                pairs(18)
            )
        }),
    ),
    (
        "fingerprint",
        Built(|r| {
            format!(
                "sha256 Fingerprint={}\n",
                (0..32).map(|_| hex(r, 2).to_uppercase()).collect::<Vec<_>>().join(":")
            )
        }),
    ),
];

const PEM_PUBLIC_KEYS: Texts = &[
    ("pem", Once("-----BEGIN PUBLIC KEY-----\n«base64_lines 294»\n-----END PUBLIC KEY-----\n")),
    ("rsa", Once("-----BEGIN RSA PUBLIC KEY-----\n«base64_lines 270»\n-----END RSA PUBLIC KEY-----\n")),
    ("pgp", Once("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n«base64_lines 800»\n=aB3d\n-----END PGP PUBLIC KEY BLOCK-----\n")),
    ("jwks", Once("{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"«[A-Za-z0-9_-]{21}»\",\"e\":\"AQAB\",\"n\":\"«[A-Za-z0-9_-]{342}»\"}]}\n")),
    ("age", Once("# public key: age1«[a-z0-9]{58}»\nage1«[a-z0-9]{58}»\n")),
    ("wireguard", Once("[Peer]\nPublicKey = «base64 32»\nEndpoint = «host»:51820\n")),
    ("gpg --list-keys", Once("pub   ed25519 2026-01-1«n 9» [SC]\n      «[0-9A-F]{40}»\nuid           [ultimate] «word» <«word»@example.com>\nsub   cv25519 2026-01-10 [E]\n")),
];

const SIGNATURES: Texts = &[
    ("pgp", Once("-----BEGIN PGP SIGNATURE-----\n\n«base64_lines 320»\n=Zk1d\n-----END PGP SIGNATURE-----\n")),
    ("ssh", Once("-----BEGIN SSH SIGNATURE-----\n«base64_lines 180»\n-----END SSH SIGNATURE-----\n")),
    ("minisign", Once("untrusted comment: signature from minisign\nRU«[A-Za-z0-9+/]{98}»\n")),
    ("cosign", Once("{\"critical\":{\"image\":{\"docker-manifest-digest\":\"sha256:«hex 64»\"},\"type\":\"cosign container image signature\"}}\n")),
    ("rekor", Once("tlog entry created with index: «n 90000000»\nSHA256 hash: «hex 64»\n")),
];

const KUBERNETES: Texts = &[
    ("get pods", Lines(6, "«word»-«[b-df-hj-np-tv-z2-9]{10}»-«[b-df-hj-np-tv-z2-9]{5}»   1/1   Running   «n 9»   «n 90»d")),
    ("metadata", Once("  resourceVersion: \"«n 90000000»\"\n  uid: «uuid»\n  generation: «n 9»\n  labels:\n    pod-template-hash: «[b-df-hj-np-tv-z2-9]{10}»\n")),
    ("get secrets", Lines(4, "«word»-token-«[b-df-hj-np-tv-z2-9]{5}»   kubernetes.io/service-account-token   3      «n 90»d")),
    ("describe", Once("Container ID:   containerd://«hex 64»\nImage ID:       ghcr.io/acme/«word»@sha256:«hex 64»\n")),
    ("helm", Lines(3, "sh.helm.release.v1.«word».v«n 30»   helm.sh/release.v1   1   «n 90»d")),
];

const FILE_NAMES: Texts = &[
    ("vite", Lines(5, "dist/assets/«word»-«[A-Za-z0-9_-]{8}».js   «n 900».«n 99» kB │ gzip: «n 300».«n 99» kB")),
    ("cargo", Lines(4, "     Running unittests src/«word».rs (target/debug/deps/«word»-«hex 16»)")),
    ("ls", Lines(5, "-rw-r--r-- 1 «word» staff  «n 90000» Nov «n 28 1» 10:00 «word».«hex 20».css.map")),
    ("objects", Lines(5, ".git/objects/«hex 2»/«hex 38»")),
    ("bazel", Lines(3, "/home/dev/.cache/bazel/_bazel_dev/«hex 32»/execroot/_main/bazel-out/k8-fastbuild/bin/«word»")),
    ("ccache", Lines(3, "Result: «hex 2»/«[0-9a-v]{30}» (direct hit)")),
    ("deep path", Once("/Users/dev/Library/Developer/Xcode/DerivedData/«word»-«[a-z]{28}»/Build/Products/Debug-iphonesimulator/«word».app\n")),
];

const TRACES: Texts = &[
    ("text", Lines(5, "«time» INFO trace_id=«hex 32» span_id=«hex 16» parent_id=«hex 16» method=GET")),
    ("json", Lines(4, "{\"ts\":\"«time»\",\"dd.trace_id\":\"«[1-9][0-9]{18}»\",\"request_id\":\"«uuid»\",\"correlationId\":\"«hex 32»\"}")),
    ("x-ray", Lines(3, "Root=1-«hex 8»-«hex 24»;Parent=«hex 16»;Sampled=1")),
    ("lambda", Once("START RequestId: «uuid» Version: $LATEST\nREPORT RequestId: «uuid»\tDuration: «n 900».«n 99» ms\n")),
    ("sentry event", Once("sentry: sent event «hex 32» for release «hex 12»\n")),
];

const RESOURCES: Texts = &[
    ("arn", Lines(4, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/«word»/db-«[A-Za-z0-9]{6}»")),
    ("azure", Lines(3, "/subscriptions/«uuid»/resourceGroups/«word»/providers/Microsoft.KeyVault/vaults/«word»")),
    ("gcp", Lines(3, "projects/«word»-prod-«n 999999»/secrets/db-password/versions/«n 30»")),
    ("kms", Lines(3, "KmsKeyId: arn:aws:kms:us-east-1:123456789012:key/«uuid»")),
    ("bucket keys", Lines(4, "2026-11-0«n 9 1» 10:00:00    «n 90000» logs/«uuid»/«hex 16».json.gz")),
    ("cloudfront", Lines(3, "https://d«[a-z0-9]{13}».cloudfront.net/«word»/«word».png")),
    ("oidc", Once("AZURE_TENANT_ID: «uuid»\nAZURE_SUBSCRIPTION_ID: «uuid»\nAZURE_CLIENT_ID: «uuid»\n")),
];

const CHAINS: Texts = &[
    ("ethereum", Lines(4, "Contract deployed to 0x«[0-9a-fA-F]{40}» in block «n 20000000»")),
    ("transactions", Lines(4, "tx 0x«hex 64» mined, gas used «n 900000»")),
    ("solidity", Once("address constant ROUTER = 0x«[0-9a-fA-F]{40}»;\nbytes32 constant DOMAIN_TYPEHASH = 0x«hex 64»;\n")),
    ("bitcoin", Lines(3, "received 0.«[0-9]{6}» BTC at bc1q«[ac-hj-np-z02-9]{38}»")),
];

const MAIL_HEADERS: Texts = &[
    ("headers", Once("Message-ID: <«[A-Za-z0-9+=_-]{40}»@mail.«word».example>\nDKIM-Signature: v=1; a=rsa-sha256; d=«word».example; s=2026; bh=«base64 32»; b=«base64 256»\nX-Google-Smtp-Source: «AGHT+I[A-Za-z0-9/+]{60}»\nReceived: by 10.0.0.«n 250» with SMTP id «[a-z0-9]{30}»; Mon, 30 Nov 2026\nReferences: <«hex 12».«word»@example.com>\n")),
];

const CIPHER_CONSTANTS: Texts = &[
    ("sha256", Lines(4, "    0x«hex 8», 0x«hex 8», 0x«hex 8», 0x«hex 8»,")),
    ("curve", Once("P = 0x«[0-9A-F]{64}»\nGX = 0x«[0-9A-F]{64}»\n")),
    ("crc table", Lines(4, "  0x«hex 8»u, 0x«hex 8»u, 0x«hex 8»u, 0x«hex 8»u,")),
];

const NUMBERS: Texts = &[
    ("matrix", Lines(6, "«n 9».«[0-9]{8}»  «n 9».«[0-9]{8}»  -«n 9».«[0-9]{8}»  «n 9».«[0-9]{8}»")),
    ("csv", Lines(6, "«n 90000»,«17[0-9]{8}»,«n 90».«[0-9]{6}»,«word»")),
    ("embedding", Once("{\"object\":\"embedding\",\"index\":0,\"embedding\":[0.0«[0-9]{8}»,-0.0«[0-9]{8}»,0.0«[0-9]{8}»,-0.0«[0-9]{8}»,0.0«[0-9]{8}»,0.0«[0-9]{8}»]}\n")),
    ("explain", Lines(5, "  ->  Index Scan using «word»_pkey on «word»s  (cost=0.«n 99»..«n 99».«n 99» rows=«n 9000» width=«n 99») (actual time=0.«n 99»..«n 9».«n 99»)")),
    ("phone and card formats", Lines(3, "+49 «n 900» «n 9000000», ISBN 978-3-«n 90000»-«n 900»-«n 9»")),
    ("benchmark", Lines(5, "«word» time:   [«n 900».«n 9999» ns «n 900».«n 9999» ns «n 900».«n 9999» ns]")),
];

const SLUGS: Texts = &[
    ("blog", Lines(4, "https://medium.com/@«word»/how-to-store-passwords-and-tokens-safely-«hex 12»")),
    ("docs", Lines(4, "https://docs.«word».example/en/latest/authentication/personal-access-tokens-and-api-keys.html#create-a-token-«n 9»")),
    ("permalink", Lines(3, "https://github.com/«word»/«word»/blob/«hex 40»/src/auth/password.rs#L«n 90»-L«n 90 90»")),
    ("campaign", Lines(3, "https://shop.«word».example/p/«word»?utm_source=newsletter&utm_campaign=autumn-sale-2026&gclid=«[A-Za-z0-9_-]{60}»")),
    ("cdn", Lines(4, "import «word» from 'https://esm.sh/«word»@«n 9».«n 9».0?target=es2022'")),
    ("files", Lines(3, "https://files.«word».example/«hex 2»/«hex 60»/«word».whl")),
];

const TEST_VECTORS: Texts = &[
    ("assertion", Lines(3, "    assert_eq!(digest(b\"«word»\"), \"«hex 64»\");")),
    ("snapshot", Once("exports[`renders «word» 1`] = `\n<div\n  class=\"«word»-«hex 6»\"\n  data-testid=\"«word»\"\n/>\n`;\n")),
    ("etag test", Once("  expect(res.headers.get('etag')).toBe('\"«hex 40»\"')\n")),
    ("binary", Once("let expected = base64::decode(\"«base64 90»\").unwrap();\n")),
];

//! Prose, translations and outputs of programs.

use super::super::template::Text::{Escaped, Lines, Once, Pool};
use super::super::template::{Table, Texts};

pub const TEXTS: Table = &[
    ("prompts-about-passwords", PROMPTS),
    ("commit-messages", COMMITS),
    ("translations", TRANSLATIONS),
    ("prose-in-other-languages", OTHER_LANGUAGES),
    ("process-lists", PROCESSES),
    ("directory-listings", LISTINGS),
    ("build-output", BUILDS),
    ("application-logs", LOGS),
    ("plain-settings", SETTINGS),
    ("compiler-errors", COMPILERS),
    ("package-manifests", MANIFESTS),
    ("json-responses", RESPONSES),
    ("tables", TABLES),
    ("diagrams", DIAGRAMS),
];

const PROMPTS: Texts = &[
    ("lines", Pool(6, PROMPT_LINES)),
];

const PROMPT_LINES: &str = "
Add a forgot-password flow; the token should expire after 30 minutes.
The password must have at least 12 characters and one digit.
Why is the access token refreshed twice on login?
Rename the column password to password_hash everywhere.
Please never log the API key, not even its first characters.
The secret is to cache the result per request.
Write a test that the token is rejected when it is expired.
Users complain that the password reset mail arrives late.
The key insight: the index is not used because of the cast.
Use the token bucket algorithm for rate limiting, 100 tokens per minute.
Can you move the passwords out of docker-compose.yml into secrets?
We need a password field with a show/hide button.
I pass the key as the second argument, is that right?
Explain how the CSRF token is validated in middleware.ts.
The pass rate of the suite fell from 98% to 91%.
Then rotate the signing key and restart the workers.
What does `token: invalid character '<' looking for beginning of value` mean?
Remove the hard-coded password from the fixtures, read it from the environment.
The credentials are in the vault, ask the platform team for access.
My pull request changes how secrets are mounted; see docs/secrets.md.
In the login form the password is trimmed, it should not be.
The word secret appears 14 times in this file.
Password: required. Token: optional. Key: unique.
";

const COMMITS: Texts = &[
    ("lines", Pool(8, COMMIT_LINES)),
    ("with hashes", Lines(6, "«hex 7» «word»: «rotate|validate|cache|revoke» the «word» token")),
];

const COMMIT_LINES: &str = "
auth: hash passwords with argon2id
feat(login): show password strength
fix: do not print the token in debug logs (#1423)
chore(deps): bump jsonwebtoken from 9.0.2 to 9.0.3
Revert \"auth: store refresh token in a cookie\"
secrets: read the key file once
refactor(tokens): extract TokenService
docs: how to rotate API keys
test: expired password reset links
ci: pass NPM_TOKEN to the publish job
Merge branch 'feature/password-policy' into main
Merge pull request #981 from acme/rotate-keys
perf(auth): avoid a second password lookup
security: constant-time comparison of webhook signatures
i18n: translate the password hints
Co-authored-by: Jane Doe <jane@users.noreply.github.com>
";

const TRANSLATIONS: Texts = &[
    ("lines", Pool(8, TRANSLATION_LINES)),
    ("generated", Lines(5, "  \"«word».«word».password\": \"«Word» password\",")),
];

const TRANSLATION_LINES: &str = r#"
  "password.forgot": "Forgot your password?",
  "password.label": "Password",
  "password.confirm": "Repeat the password",
  "token.expired": "The link has expired. Please request a new one.",
  "apiKey.create": "Create API key",
  "secret.hint": "The secret is shown only once.",
  "password": "Passwort",
  "password": "Mot de passe",
  "password": "パスワード",
  "password": "Contraseña",
  "password": "Пароль",
  "token": "Zugriffstoken",
  login.password.placeholder = Enter your password
  errors.password.tooShort = The password is too short (minimum is {min} characters)
msgid "Change password"
msgstr "Passwort ändern"
<string name="password_hint">At least 12 characters</string>
<string name="error_incorrect_password">This password is incorrect</string>
"reset_password_subject": "Reset your password for {{appName}}",
password_too_common: "This password is too common."
"#;

const OTHER_LANGUAGES: Texts = &[
    ("lines", Pool(5, OTHER_LANGUAGE_LINES)),
];

const OTHER_LANGUAGE_LINES: &str = "
Das Passwort muss mindestens zwölf Zeichen lang sein.
Bitte das Passwort nicht im Klartext speichern.
Le mot de passe doit contenir au moins douze caractères.
El token caduca después de treinta minutos.
パスワードは十二文字以上で入力してください。
トークンの有効期限が切れています。
密码长度必须至少为十二个字符。
Пароль должен содержать не менее двенадцати символов.
Das Token wird bei jeder Anmeldung erneuert.
Der Schlüssel liegt im Tresor, nicht im Repository.
비밀번호를 잊으셨나요?
A senha foi alterada com sucesso.
";

const PROCESSES: Texts = &[
    ("ps aux", Lines(6, "«word»  «n 90000»  0.«n 9»  1.«n 9» «n 900000» «n 90000» ?  Ssl  10:0«n 9»   0:0«n 9» /usr/bin/«word» --config /etc/«word»/config.toml --port «n 9000»")),
    ("netstat", Lines(5, "tcp   LISTEN  0  4096  127.0.0.1:«n 9000»  0.0.0.0:*  users:((\"«word»\",pid=«n 90000»,fd=«n 90»))")),
    ("systemctl", Lines(5, "● «word».service loaded active running «Word» daemon")),
    ("df", Lines(5, "/dev/nvme0n1p«n 9»  «n 900»G  «n 900»G  «n 90»G  «n 99»% /mnt/«word»")),
];

const LISTINGS: Texts = &[
    ("ls -la", Pool(7, LISTING_LINES)),
    ("find", Lines(6, "./src/«word»/«word»/password_«word».«ts|py|rs|go»")),
    ("tree", Lines(5, "│   ├── «word»_tokens.«ts|py|rs|go»")),
];

const LISTING_LINES: &str = "
-rw------- 1 dev dev  2602 Nov  3 10:12 id_rsa
-rw-r--r-- 1 dev dev   567 Nov  3 10:12 id_rsa.pub
-rw-r--r-- 1 dev dev   220 Nov  3 10:12 .env.example
-rw-r----- 1 dev dev  1704 Nov  3 10:12 server.key
drwxr-xr-x 5 dev dev   160 Nov  3 10:12 secrets
-rw-r--r-- 1 dev dev  4312 Nov  3 10:12 password_reset.html
-rw-r--r-- 1 dev dev   988 Nov  3 10:12 tokens.css
-rw-r--r-- 1 dev dev 11821 Nov  3 10:12 credentials_test.go
lrwxrwxrwx 1 dev dev    24 Nov  3 10:12 current -> releases/20261103101200
?? config/secrets.yml.example
 M src/auth/token.ts
A  docs/api-keys.md
";

const BUILDS: Texts = &[
    ("lines", Once("«build 8 14»")),
];
const LOGS: Texts = &[
    ("lines", Once("«log 8 14»")),
    ("more", Lines(6, "«time» INFO  «token refreshed|password changed|api key created|secret rotated|login failed: wrong password|session expired» for user «n 90000»")),
];
const SETTINGS: Texts = &[
    ("lines", Once("«settings 8 14»")),
    ("code", Once("«code 8 14»")),
];

const COMPILERS: Texts = &[
    ("lines", Pool(7, COMPILER_LINES)),
];

const COMPILER_LINES: &str = r#"
error[E0425]: cannot find value `password` in this scope
  --> src/auth/token.rs:42:17
   |         ^^^^^^^^ help: a local variable with a similar name exists: `passwords`
warning: field `api_key` is never read
src/login.ts(12,7): error TS2322: Type 'string | undefined' is not assignable to type 'string'.
error TS2339: Property 'accessToken' does not exist on type 'Session'.
main.go:14:2: password declared and not used
auth.c:88:12: warning: passing argument 1 of 'check_token' discards 'const' qualifier
NameError: name 'SECRET_KEY' is not defined
KeyError: 'api_key'
AttributeError: 'NoneType' object has no attribute 'token'
java.lang.NullPointerException: Cannot invoke "String.length()" because "password" is null
E   AssertionError: assert 'token' in {'error': 'invalid_grant'}
undefined method `password_digest' for #<User id: 3>
note: `Token` implements `From<&str>`
"#;

const MANIFESTS: Texts = &[
    ("package.json", Once("{\n  \"name\": \"@acme/«word»\",\n  \"version\": \"1.«n 9».«n 30»\",\n  \"scripts\": { \"build\": \"tsc -b && vite build\", \"test\": \"vitest run\" },\n  \"dependencies\": {\n    \"jsonwebtoken\": \"^9.0.«n 9»\",\n    \"passport-local\": \"^1.0.0\",\n    \"@aws-sdk/client-secrets-manager\": \"^3.«n 900».0\"\n  },\n  \"packageManager\": \"pnpm@9.«n 9».0+sha512.«hex 128»\"\n}\n")),
    ("cargo", Once("[dependencies]\nsecrecy = \"0.10.«n 9»\"\nrpassword = \"7.«n 9»\"\nargon2 = { version = \"0.5\", features = [\"password-hash\"] }\n«word» = { git = \"https://github.com/acme/«word»\", rev = \"«hex 40»\" }\n")),
];

const RESPONSES: Texts = &[
    ("users", Lines(4, "{\"id\":«n 90000»,\"login\":\"«word»\",\"node_id\":\"MDQ6VXNlcj«n 99999»\",\"type\":\"User\",\"two_factor_authentication\":true}")),
    ("errors", Lines(3, "{\"error\":{\"code\":\"invalid_api_key\",\"message\":\"The API key is invalid or has expired.\",\"param\":null,\"line\":«n 900»}}")),
    ("pages", Lines(3, "{\"items\":[],\"total\":«n 9000»,\"page\":«n 90»,\"pageSize\":50,\"hasMore\":false}")),
    ("commits", Lines(2, "{\"sha\":\"«hex 40»\",\"tree\":{\"sha\":\"«hex 40»\"},\"message\":\"fix «word»\",\"verification\":{\"verified\":false,\"reason\":\"unsigned\"}}")),
    ("escaped", Escaped("{\"stdout\":\"«escaped»\",\"stderr\":\"\",\"interrupted\":false}\n", "{\"status\":\"ok\",\"commit\":\"«hex 40»\",\"password_required\":false}")),
];

const TABLES: Texts = &[
    ("psql", Once(" id |   login   | password_set | token_count \n----+-----------+--------------+-------------\n «n 99» | «word» | t            | «n 900»\n «n 99» | «word» | f            | «n 900»\n")),
    ("markdown", Once("| name | password policy | tokens |\n| --- | --- | --- |\n| «word» | strong | «n 90» |\n| «word» | weak | «n 90» |\n")),
    ("coverage", Lines(5, "src/auth/«word»_token.py      «n 400»    «n 40»    «n 99»%   «n 90»-«n 90 90»")),
];

const DIAGRAMS: Texts = &[
    ("mermaid", Once("sequenceDiagram\n  Client->>«a=Word»: POST /token (client_id, client_secret)\n  «a»-->>Client: access_token, refresh_token\n  Client->>«b=Word»: GET /items (Authorization: Bearer)\n  «b»-->>Client: 200 OK\n")),
    ("dot", Once("digraph auth {\n  login -> token [label=\"password\"];\n  token -> «word»;\n  key -> secret -> «word»;\n}\n")),
];

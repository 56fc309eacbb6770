//! Programs that handle passwords, tokens and keys by name.

use super::super::template::Text::{Once, Pool};
use super::super::template::{Table, Texts};

pub const CODE: Table = &[
    ("python-source", PYTHON),
    ("javascript-source", JAVASCRIPT),
    ("rust-source", RUST),
    ("go-source", GO),
    ("java-source", JAVA),
    ("other-sources", OTHERS),
    ("shell-scripts", SHELL),
    ("tokens-of-parsers-and-models", PARSERS),
    ("keys-that-are-names", NAMES),
    ("regular-expressions", EXPRESSIONS),
    ("html-forms", FORMS),
    ("sql-schemas", SQL),
    ("api-schemas", SCHEMAS),
    ("test-names", TEST_NAMES),
    ("long-names", LONG_NAMES),
];

const PYTHON: Texts = &[("lines", Pool(10, PYTHON_LINES))];

const PYTHON_LINES: &str = r#"
password = os.environ["DB_PASSWORD"]
api_key = os.getenv("STRIPE_SECRET_KEY", "")
token = request.headers.get("Authorization", "").removeprefix("Bearer ")
SECRET_KEY = env("DJANGO_SECRET_KEY")
SECRET_KEY = config("SECRET_KEY", default=get_random_secret_key())
def check_password(self, raw_password: str) -> bool:
    return bcrypt.checkpw(raw_password.encode(), self.password_hash)
user.set_password(form.cleaned_data["password1"])
password = getpass.getpass("Password: ")
if not secrets.compare_digest(token, expected_token):
    raise InvalidTokenError("token has expired")
hashed_password = pwd_context.hash(password)
access_token = create_access_token(data={"sub": user.username})
access_token_expires = timedelta(minutes=ACCESS_TOKEN_EXPIRE_MINUTES)
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
client = Anthropic(api_key=settings.anthropic_api_key)
conn = psycopg.connect(host=host, user=user, password=password)
headers = {"Authorization": f"Bearer {access_token}"}
session.auth = (username, password)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
token = jwt.encode(payload, settings.SECRET_KEY, algorithm="HS256")
password: str = Field(min_length=12, max_length=128)
api_key: str | None = None
secret = client.access_secret_version(name=secret_name).payload.data.decode("UTF-8")
password = "".join(secrets.choice(alphabet) for _ in range(20))
parser.add_argument("--password", help="password of the database user", required=True)
token_url = f"{base_url}/oauth2/token"
self.password_field = self.driver.find_element(By.ID, "password")
print(f"token for {user}: {mask(token)}")
credentials = service_account.Credentials.from_service_account_file(key_path)
REFRESH_TOKEN_COOKIE = "refresh_token"
key = (row["customer_id"], row["order_id"])
cache_key = f"user:{user_id}:permissions"
for key, value in sorted(config.items()):
assert response.json()["token_type"] == "bearer"
private_key = serialization.load_pem_private_key(data, password=None)
csrf_token = get_token(request)
"#;

const JAVASCRIPT: Texts = &[("lines", Pool(10, JAVASCRIPT_LINES))];

const JAVASCRIPT_LINES: &str = r#"
const password = process.env.DB_PASSWORD;
const apiKey = process.env.OPENAI_API_KEY ?? '';
const [password, setPassword] = useState('');
const { username, password } = req.body;
if (!password || password.length < 8) {
const token = jwt.sign({ id: user.id }, process.env.JWT_SECRET, { expiresIn: '1h' });
const hash = await bcrypt.hash(password, 10);
headers: { Authorization: `Bearer ${token}` },
'Authorization': 'Bearer ' + accessToken,
localStorage.setItem('access_token', response.data.accessToken);
const token = req.headers.authorization?.split(' ')[1];
<PasswordInput value={password} onChange={(e) => setPassword(e.target.value)} />
type: 'password', autoComplete: 'current-password', label: t('login.password'),
password: yup.string().min(8).required('Password is required'),
passwordConfirmation: z.string().min(8),
secret: process.env.SESSION_SECRET,
clientSecret: env.GITHUB_CLIENT_SECRET,
auth: { user: process.env.SMTP_USER, pass: process.env.SMTP_PASS },
export const TOKEN_STORAGE_KEY = 'auth.token';
const keyPrefix = 'sessions:';
router.post('/reset-password/:token', resetPassword);
token: sessionStorage.getItem('token'),
cookies().get('session')?.value
await page.getByLabel('Password').fill(process.env.E2E_PASSWORD!);
throw new UnauthorizedException('Invalid token');
const secretsManager = new SecretsManagerClient({ region: 'eu-west-1' });
const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: 'prod/db' }));
interface TokenPayload { sub: string; exp: number; scope: string }
apiKey: import.meta.env.VITE_FIREBASE_API_KEY,
credentials: 'include',
onKeyDown={(event) => event.key === 'Enter' && submit()}
items.map((item) => <Row key={item.id} {...item} />)
queryKey: ['users', userId, 'tokens'],
passport.use(new LocalStrategy({ usernameField: 'email', passwordField: 'password' }, verify));
const csrfToken = document.querySelector('meta[name="csrf-token"]').content;
delete user.password;
"#;

const RUST: Texts = &[("lines", Pool(10, RUST_LINES))];

const RUST_LINES: &str = r#"
let password = env::var("DATABASE_PASSWORD").context("DATABASE_PASSWORD is not set")?;
let token = std::env::var("GITHUB_TOKEN").ok();
pub struct Credentials { pub username: String, pub password: SecretString }
let api_key: SecretString = config.api_key.expose_secret().into();
pub fn verify_password(hash: &str, password: &[u8]) -> Result<(), Error> {
impl fmt::Debug for Token { fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result { f.write_str("Token(…)") } }
.header(AUTHORIZATION, format!("Bearer {token}"))
.bearer_auth(&self.token)
.basic_auth(user, Some(password))
const TOKEN_LENGTH: usize = 32;
const KEY_PREFIX: &str = "memo:";
static API_KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
let Token::Ident(name) = self.next_token()? else { return Err(self.unexpected()) };
let secret = Zeroizing::new(fs::read_to_string(&args.secret_file)?);
let key = Key::from_slice(&derived);
#[arg(long, env = "API_TOKEN", hide_env_values = true)]
#[serde(rename = "accessToken")]
pub access_token: String,
let private_key = PrivateKey::generate(&mut OsRng);
assert_eq!(parse("password=").unwrap_err().kind(), ErrorKind::MissingValue);
map.insert("password".to_owned(), Value::Null);
token.cancel();
let cancellation_token = CancellationToken::new();
password: password.clone(),
let passphrase = rpassword::prompt_password("Passphrase: ")?;
Err(Error::InvalidToken { position: self.position })
let secret_key = SecretKey::new(&mut rand::rng());
match self.tokens.peek() { Some(Token { kind: TokenKind::Semi, .. }) => self.bump(), _ => {} }
key: key.to_owned(), value,
"#;

const GO: Texts = &[("lines", Pool(9, GO_LINES))];

const GO_LINES: &str = r#"
password := os.Getenv("DB_PASSWORD")
apiKey := viper.GetString("api_key")
token, err := jwt.Parse(tokenString, keyFunc)
req.Header.Set("Authorization", "Bearer "+token)
req.SetBasicAuth(username, password)
if subtle.ConstantTimeCompare([]byte(password), []byte(expected)) != 1 {
Password string `json:"password" validate:"required,min=8"`
AccessToken  string `json:"access_token"`
hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
secret, err := clientset.CoreV1().Secrets(ns).Get(ctx, "db-credentials", metav1.GetOptions{})
var ErrInvalidPassword = errors.New("auth: invalid password")
flag.StringVar(&token, "token", "", "API token (default $API_TOKEN)")
dsn := fmt.Sprintf("postgres://%s:%s@%s/%s", user, password, host, name)
dsn := fmt.Sprintf("host=%s user=%s password=%s dbname=%s", host, user, pass, name)
const tokenTTL = 15 * time.Minute
for key, value := range settings {
key := datastore.NameKey("User", email, nil)
privateKey, err := rsa.GenerateKey(rand.Reader, 2048)
return nil, status.Error(codes.Unauthenticated, "missing token")
case token.IDENT, token.INT:
mux.Handle("/reset-password", passwordHandler)
"#;

const JAVA: Texts = &[("lines", Pool(9, JAVA_LINES))];

const JAVA_LINES: &str = r#"
@Value("${spring.datasource.password}")
private String password;
private static final String TOKEN_PREFIX = "Bearer ";
private static final String PASSWORD_PATTERN = "^(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z]).{8,}$";
String token = request.getHeader("Authorization").substring(7);
return passwordEncoder.encode(rawPassword);
DataSource ds = DataSourceBuilder.create().username(user).password(password).build();
System.getenv("API_KEY")
public record LoginRequest(String username, String password) {}
char[] passwordChars = console.readPassword("Password: ");
KeyStore keyStore = KeyStore.getInstance("PKCS12");
.antMatchers("/api/token", "/api/password/reset").permitAll()
@NotBlank(message = "Password must not be blank")
throw new BadCredentialsException("Invalid username or password");
usernamePasswordAuthenticationToken.setDetails(details);
SecretKeySpec key = new SecretKeySpec(keyBytes, "HmacSHA256");
map.put("password", user.getPassword());
var apiKey = Configuration["Payments:ApiKey"];
services.Configure<TokenOptions>(configuration.GetSection("Tokens"));
public string Password { get; set; } = string.Empty;
builder.Services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme)
CancellationToken cancellationToken = default
"#;

const OTHERS: Texts = &[("lines", Pool(9, OTHER_LINES)), ("fenced", Once("```\n«code 3 6»```\n"))];

const OTHER_LINES: &str = r#"
password: <%= ENV.fetch("DATABASE_PASSWORD") { "" } %>
validates :password, presence: true, length: { minimum: 8 }
has_secure_password
config.secret_key_base = ENV["SECRET_KEY_BASE"]
devise :database_authenticatable, :recoverable, :token_authenticatable
user.update!(password: params[:password], password_confirmation: params[:password_confirmation])
$password = $_POST['password'] ?? '';
'password' => Hash::make($request->password),
'key' => env('APP_KEY'),
'secret' => env('AWS_SECRET_ACCESS_KEY'),
define('DB_PASSWORD', getenv('WORDPRESS_DB_PASSWORD'));
if (password_verify($password, $user->password_hash)) {
let apiKey = Bundle.main.object(forInfoDictionaryKey: "API_KEY") as? String
SecureField("Password", text: $password)
val token = sharedPreferences.getString("auth_token", null)
signingConfig.storePassword = System.getenv("KEYSTORE_PASSWORD")
storePassword keystoreProperties['storePassword']
secret_key_base: System.fetch_env!("SECRET_KEY_BASE"),
def changeset(user, attrs), do: cast(user, attrs, [:email, :password])
password = Application.fetch_env!(:app, :password)
data Credentials = Credentials { username :: Text, password :: Text }
char password[MAX_PASSWORD + 1];
if (strcmp(password, expected) != 0) return AUTH_FAILED;
static const struct option options[] = { { "password", required_argument, NULL, 'p' } };
$token = (Get-AzAccessToken -ResourceUrl https://graph.microsoft.com).Token
$securePassword = Read-Host -AsSecureString "Password"
$credential = New-Object PSCredential($user, $securePassword)
password = data.aws_secretsmanager_secret_version.db.secret_string
password               = var.db_password
token = data.google_client_config.default.access_token
const password = ref<string>("")
<input v-model="password" type="password" :placeholder="$t('password')" />
final token = await storage.read(key: 'token');
"#;

const SHELL: Texts = &[("lines", Pool(10, SHELL_LINES))];

const SHELL_LINES: &str = r#"
read -r -s -p "Password: " PASSWORD
if [ -z "$GITHUB_TOKEN" ]; then echo "GITHUB_TOKEN is not set" >&2; exit 1; fi
: "${DB_PASSWORD:?set DB_PASSWORD}"
export DB_PASSWORD="$(pass show prod/db)"
TOKEN=$(curl -s -X PUT http://169.254.169.254/latest/api/token -H "X-aws-ec2-metadata-token-ttl-seconds: 60")
curl -fsSL -H "Authorization: Bearer $TOKEN" "$API/v1/items"
curl -u "$USER:$PASSWORD" "$URL"
echo "$DOCKER_PASSWORD" | docker login -u "$DOCKER_USER" --password-stdin
mysql -u root -p"$MYSQL_ROOT_PASSWORD" -e 'show tables'
mysql -u root -p shop < dump.sql
psql -h localhost -p 5432 -U postgres -d shop
PGPASSWORD="$DB_PASSWORD" psql -h "$DB_HOST"
ssh -p 2222 -i ~/.ssh/id_ed25519 deploy@build.example.com
ssh-keygen -t ed25519 -C "dev@example.com" -f ~/.ssh/deploy_key
mkdir -p src/components/password-reset
cp -pr config config.backup
docker run -p 8080:80 -e POSTGRES_PASSWORD -e API_KEY web:latest
docker run --env-file .env -p 5432:5432 postgres:17
kubectl create secret generic db --from-file=password=./password.txt
kubectl get secret db -o jsonpath='{.data.password}' | base64 -d
vault kv get -field=password secret/prod/db
aws secretsmanager get-secret-value --secret-id prod/db --query SecretString
gh auth token | docker login ghcr.io -u acme --password-stdin
gh secret set NPM_TOKEN < token.txt
openssl rand -base64 32 > secret.key
openssl req -new -key server.key -out server.csr -passin file:pass.txt
grep -rn "password" src | wc -l
git grep -n 'api_key' -- '*.py'
export SECRET_KEY_BASE=$(bin/rails secret)
API_KEY=${API_KEY:-$(cat /run/secrets/api_key)}
unset AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
[[ $password =~ [0-9] ]] || die "the password needs a digit"
passwd --lock backup
htpasswd -c /etc/nginx/.htpasswd deploy
tar -xpf backup.tar -C /srv
rg --pcre2 'secret_[a-z]+' --glob '!node_modules'
sshpass -e ssh deploy@build.example.com
curl -H "X-Api-Key: ${API_KEY}" https://api.example.com/v2/status
"#;

const PARSERS: Texts = &[("lines", Pool(9, PARSER_LINES))];

const PARSER_LINES: &str = r#"
max_tokens: 4096
"max_tokens": 1024, "temperature": 0.7, "stop_sequences": []
usage: {"prompt_tokens": 1832, "completion_tokens": 411, "total_tokens": 2243}
"input_tokens":1204,"cache_read_input_tokens":18233,"output_tokens":512
tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
tokens = tokenizer.encode("The quick brown fox", add_special_tokens=True)
pad_token_id=50256, eos_token="<|endoftext|>", bos_token="<s>"
error: expected one of `!` or `::`, found token `}`
SyntaxError: Unexpected token '<', "<!DOCTYPE "... is not valid JSON
token.type === TokenType.LeftParen
next_token = self.tokens[self.position + 1]
TokenStream::from(quote! { #name })
export const tokens = { color: { primary: '#1a73e8' }, space: { md: '16px' } }
lexer.Token(pos=14, type=NAME, value='password')
nextToken: null, maxResults: 50
"NextToken": null
continuationToken=page-2
cancellation_token.cancelled().await;
keywords: ["password manager", "token", "secret santa"]
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out
pass: 128  fail: 0  skip: 2
passes: 3, passThreshold: 0.95
bypass: true
compass: north
author: Jane Doe <jane@example.com>
authors = ["The maintainers <team@example.com>"]
authority: https://login.example.com/common
"#;

const NAMES: Texts = &[
    ("lines", Pool(9, NAME_LINES)),
    (
        "generated",
        Once(
            "key: «a=word».«b=word».title\nforeign_key: «a»_id\ncacheKey = '«a»:«b»:v2'\nKey=«a»/«b»/report.parquet\nsortKey: «a»«Word»At\n",
        ),
    ),
];

const NAME_LINES: &str = r#"
key: "ArrowDown"
primary_key: customer_id
primaryKey: ["tenant_id", "order_id"]
foreign_key_constraint: fk_orders_customer_id
partitionKey: /customerId
Key: reports/2026/11/revenue-by-region.parquet
s3_key = "uploads/avatars/default-profile-picture.png"
cacheKey = "homepage-hero-banner-v2"
cache-key: ${{ runner.os }}-cargo-${{ hashFiles('**/Cargo.lock') }}
translation_key: errors.messages.password_too_short
api_key_name: production-readonly
key_name = "deploy-key-eu-west-1"
keyfile: /etc/ssl/private/server.key
ssl_certificate_key /etc/letsencrypt/live/example.com/privkey.pem;
SSH_KEY_PATH=/home/deploy/.ssh/id_ed25519
public_key_file: keys/release-signing.pub
keyword: "authentication-middleware-refactoring"
key_type: ecdsa-p256
KeyUsage: digitalSignature, keyEncipherment
keyboard_layout: de-latin1-nodeadkeys
hotkey: "ctrl+shift+alt+p"
monkey_patch: requests.adapters.HTTPAdapter
idempotency_key_header: Idempotency-Key
routing_key: orders.created.v1
sort_key: created_at#desc
turnkey_solution: enabled
licenseKey: 'GPL-3.0-or-later'
"authKeyId": "signing-key-2026-primary"
AccessKeyMetadata: active
"#;

const EXPRESSIONS: Texts = &[("lines", Pool(8, EXPRESSION_LINES))];

const EXPRESSION_LINES: &str = r#"
const PASSWORD = /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z\d@$!%*?&]{12,}$/;
TOKEN_RE = re.compile(r"(ghp|gho|ghs)_[A-Za-z0-9]{36}")
secret_pattern = r'(?i)(api[_-]?key|secret|token)\s*[:=]\s*["\']?([A-Za-z0-9_\-]{16,})'
regex = '''AKIA[0-9A-Z]{16}'''
rules: [{ id: "slack", regex: "xox[baprs]-[0-9A-Za-z-]{10,48}" }]
grep -E 'sk_(live|test)_[0-9a-zA-Z]{24}' -r .
let pattern = Regex::new(r"-----BEGIN [A-Z ]*PRIVATE KEY-----").unwrap();
password: /^[^\s]{8,64}$/
email: /^[^@\s]+@[^@\s]+\.[^@\s]+$/
s/password=[^&]*/password=***/g
location ~ ^/api/v[0-9]+/tokens/(?<id>[0-9a-f-]+)$ {
jwt = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/
"pattern": "^[A-Z]{2}[0-9]{2}(?:[ ]?[0-9]{4}){4}$"
if m := re.match(r"Bearer\s+(.+)", header):
sed -i 's/^password:.*/password: ""/' config.yml
"#;

const FORMS: Texts = &[("lines", Pool(7, FORM_LINES))];

const FORM_LINES: &str = r#"
<input type="password" name="password" id="password" autocomplete="current-password" required>
<input type="password" name="new_password" autocomplete="new-password" minlength="12">
<label for="password">Password</label>
<a href="/password/forgot">Forgot your password?</a>
<form action="/users/password" method="post">
<input type="hidden" name="csrfmiddlewaretoken" value="{% csrf_token %}">
<meta name="csrf-token" content="<%= csrf_meta_tags %>">
<p class="hint">The password must have at least 12 characters.</p>
<TextField label="API key" name="apiKey" type="password" helperText="Find it in your account settings" />
<Trans i18nKey="auth.signIn.passwordLabel">Password</Trans>
<el-form-item label="Token" prop="token">
<input type="submit" value="Change password" class="btn btn-primary">
<data-testid="password-strength-meter" />
await page.locator('input[name="password"]').click();
"#;

const SQL: Texts = &[("lines", Pool(7, SQL_LINES))];

const SQL_LINES: &str = r#"
password_hash VARCHAR(60) NOT NULL,
api_token CHAR(40) UNIQUE,
reset_password_token VARCHAR(255) DEFAULT NULL,
PRIMARY KEY (id), KEY idx_token (token),
FOREIGN KEY (session_key) REFERENCES sessions(session_key) ON DELETE CASCADE
ALTER TABLE users ADD COLUMN password_changed_at TIMESTAMPTZ;
SELECT id, email, encrypted_password FROM users WHERE reset_token = $1;
UPDATE users SET password = crypt($1, gen_salt('bf')) WHERE id = $2;
CREATE INDEX index_users_on_confirmation_token ON users (confirmation_token);
ALTER USER app WITH PASSWORD :'password';
CREATE USER app IDENTIFIED BY ?;
INSERT INTO permissions (key, description) VALUES ('tokens.read', 'Read access tokens');
-- the token is stored as a SHA-256 hash, never in clear
GRANT SELECT (id, email) ON users TO reporting;
DROP TABLE IF EXISTS password_resets;
"#;

const SCHEMAS: Texts = &[("lines", Pool(8, SCHEMA_LINES))];

const SCHEMA_LINES: &str = r#"
  accessToken: String!
  login(email: String!, password: String!): AuthPayload!
        password: { type: string, format: password, minLength: 8 }
      securitySchemes: { bearerAuth: { type: http, scheme: bearer, bearerFormat: JWT } }
  string password = 2;
  optional string api_key = 3 [deprecated = true];
        "password": { "type": "string", "writeOnly": true },
        "token": {"description": "Bearer token of the session", "type": "string"}
"required": ["username", "password"]
  - name: X-Api-Key
    in: header
export interface Session { token: string; refreshToken: string; expiresAt: Date }
type Credentials = { apiKey: string } | { username: string; password: string };
password: String @db.VarChar(60)
token     String   @unique @default(cuid())
  fields: [password_digest:string, token:string:uniq]
description: Secret of the webhook, used to sign payloads
"type": "object", "properties": { "clientSecret": { "type": "string" } }
"#;

const TEST_NAMES: Texts = &[("lines", Pool(8, TEST_NAME_LINES))];

const TEST_NAME_LINES: &str = r#"
test auth::tests::rejects_expired_token ... ok
test store::secrets::tests::a_password_is_never_logged ... ok
tests/test_auth.py::test_password_reset_token_expires_after_one_hour PASSED
tests/test_auth.py::TestLogin::test_wrong_password[user@example.com-wrong] PASSED
  ✓ returns 401 without an access token (12 ms)
  ✕ hashes the password before saving (41 ms)
--- PASS: TestTokenRefresh/with_revoked_token (0.00s)
--- FAIL: TestParseAPIKeyFromHeader (0.01s)
ok 14 - passwordless login sends a magic link
AuthControllerTest > loginWithInvalidPassword() PASSED
describe('POST /auth/token', () => {
it('masks the api key in the output', async () => {
FAILED tests/test_config.py::test_secret_key_is_required - KeyError: 'SECRET_KEY'
thread 'keys::rotates_signing_key' panicked at src/keys.rs:88:9:
Scenario: User changes the password
    Given I am on the password reset page
"#;

const LONG_NAMES: Texts = &[("lines", Pool(8, LONG_NAME_LINES))];

const LONG_NAME_LINES: &str = r#"
getServerSidePropsWithAuthenticationTokenProvider(context)
AbstractSingletonProxyFactoryBeanTokenResolver
org.springframework.security.authentication.UsernamePasswordAuthenticationToken
com.google.android.gms.auth.api.credentials.CredentialsClient
NSLocationAlwaysAndWhenInUseUsageDescription
token_classification_pipeline_aggregation_strategy=AggregationStrategy.FIRST
System.Private.CoreLib.Resources.PasswordDeriveBytes_NonceLengthMismatch
kubernetes.io/tls-acme-certificate-secret-name-annotation
VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_DEMOTE_TO_HELPER_INVOCATION_FEATURES
LongestCommonSubsequenceWithBacktrackingTable
resource "aws_iam_access_key" "deployment_pipeline_readonly"
module.eks_managed_node_group["default"].aws_autoscaling_group.this[0]
ENABLE_PASSWORD_AUTHENTICATION_FOR_LEGACY_CLIENTS=false
SpringBootServletInitializerTokenStoreAutoConfiguration
feature/AUTH-1123-rotate-refresh-tokens-on-password-change
"#;

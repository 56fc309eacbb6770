//! Settings about secrets that contain none: placeholders, references and limits.

use super::super::template::Text::{Once, Pool};
use super::super::template::{Table, Texts};

pub const CONFIG: Table = &[
    ("placeholders", PLACEHOLDERS),
    ("references", REFERENCES),
    ("limits-and-names", LIMITS),
    ("masked-values", MASKED),
    ("urls-without-passwords", URLS),
    ("infrastructure-as-code", INFRASTRUCTURE),
    ("continuous-integration", CI),
    ("help-texts", HELP),
    ("documentation-examples", EXAMPLES),
    ("empty-values", EMPTY),
];

const PLACEHOLDERS: Texts = &[
    ("lines", Pool(9, PLACEHOLDER_LINES)),
    (
        "env example",
        Once(
            "# copy to .env\n«a=WORD»_API_KEY=your-«word»-api-key\n«a»_SECRET=<your secret>\n«a»_TOKEN=your_token_here\nDB_PASSWORD=changeme\n",
        ),
    ),
];

const PLACEHOLDER_LINES: &str = r#"
API_KEY=<your-api-key>
OPENAI_API_KEY=your-api-key-here
GITHUB_TOKEN=your_github_token
STRIPE_SECRET_KEY=sk_test_...
SECRET_KEY=replace-me-with-a-long-random-string
password: changeme
password = "<password>"
"token": "YOUR_ACCESS_TOKEN"
"apiKey": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
export ANTHROPIC_API_KEY=sk-ant-...
export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
Authorization: Bearer <token>
Authorization: Bearer YOUR_TOKEN_HERE
curl -H "Authorization: Bearer $YOUR_TOKEN" https://api.example.com
curl -u username:password https://api.example.com
git clone https://<user>:<token>@github.com/acme/app.git
DATABASE_URL=postgres://USER:PASSWORD@HOST:PORT/DATABASE
DATABASE_URL=postgresql://username:password@localhost:5432/database
MONGODB_URI=mongodb+srv://<username>:<password>@cluster.mongodb.net/
client_secret: {{ client_secret }}
password: "{{ vault_db_password }}"
slack_webhook: https://hooks.slack.com/services/XXX/YYY/ZZZ
SENTRY_AUTH_TOKEN=TODO
PASSWORD=ENTER_YOUR_PASSWORD_HERE
-p, --password <secret>
secret: REPLACE_ME
token: <insert token here>
AWS_SECRET_ACCESS_KEY=your-secret-access-key
"#;

const REFERENCES: Texts = &[("lines", Pool(9, REFERENCE_LINES))];

const REFERENCE_LINES: &str = r#"
password: ${DB_PASSWORD}
password: ${DB_PASSWORD:-postgres}
POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?missing}
token: $CI_JOB_TOKEN
api_key: !ENV ${API_KEY}
secret: env:WEBHOOK_SECRET
password: !vault |
password_file: /run/secrets/db_password
POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password
token_file: /var/run/secrets/kubernetes.io/serviceaccount/token
password: "@Microsoft.KeyVault(SecretUri=https://acme.vault.azure.net/secrets/db-password)"
apiKey: op://production/stripe/api-key
token: keyring:github/acme
password: sops:prod.enc.yaml#db
client_secret: projects/acme/secrets/oauth-client/versions/latest
secretKeyRef: { name: db-credentials, key: password }
valueFrom: { secretKeyRef: { name: stripe, key: secret-key } }
existingSecret: postgres-credentials
secretName: web-tls
password = var.db_password
password = random_password.db.result
sensitive_value = data.vault_generic_secret.db.data["password"]
access_token: "{{ lookup('env', 'ACCESS_TOKEN') }}"
//registry.npmjs.org/:_authToken=${NPM_TOKEN}
_authToken=$NPM_TOKEN
machine api.example.com login %USER% password %PASSWORD%
password: process.env.PASSWORD
SecretString: !Sub '{{resolve:secretsmanager:${DbSecret}:SecretString:password}}'
"#;

const LIMITS: Texts = &[("lines", Pool(9, LIMIT_LINES))];

const LIMIT_LINES: &str = r#"
PASSWORD_MIN_LENGTH=12
password_policy: strong
ACCESS_TOKEN_EXPIRE_MINUTES=30
token_expiry: 3600
REFRESH_TOKEN_TTL=14d
SECRET_ROTATION_DAYS=90
TOKEN_URL=https://auth.example.com/oauth2/token
API_KEY_HEADER=X-Api-Key
PASSWORD_RESET_TIMEOUT=3600
password_encryption = scram-sha-256
PasswordAuthentication no
PermitRootLogin prohibit-password
tokenizer: standard
TOKENIZERS_PARALLELISM=false
secret_provider: aws-secretsmanager
AWS_SECRET_NAME=prod/billing/database
SECRET_STORE=vault
KEY_SERVER=hkps://keys.openpgp.org
key_rotation_period = "7776000s"
auth_method: token
auth_backend = "internal"
credential_helper = osxkeychain
password_hash_rounds: 12
default_auth: required
SESSION_COOKIE_NAME=sessionid
CSRF_COOKIE_SECURE=True
token_bucket_capacity: 1000
max_tokens_per_minute = 90000
passwords: 3 weak, 12 strong
"passwordStrength": "medium"
private_key_permissions: 0600
bearer_only: false
use_passwordless_login = true
secret_santa_enabled: true
"#;

const MASKED: Texts = &[("lines", Pool(8, MASKED_LINES))];

const MASKED_LINES: &str = r#"
password: ********
DB_PASSWORD=***
token: [REDACTED]
Authorization: Bearer ***
"apiKey": "[FILTERED]"
Parameters: {"email"=>"a@example.com", "password"=>"[FILTERED]"}
env: NPM_TOKEN: ***
postgres://app:***@db.internal:5432/shop
postgres://app:xxxxx@db.internal:5432/shop
sk-...abcd
SECRET_KEY: <sensitive>
password = (sensitive value)
client_secret = (known after apply)
"token": "<hidden>"
key: ••••••••••••
GITHUB_TOKEN: (set)
API key: not set
Secret access key: None
password: SecretStr('**********')
"#;

const URLS: Texts = &[
    ("lines", Pool(9, URL_LINES)),
    (
        "generated",
        Once(
            "git@github.com:acme/«word».git\nssh://git@«host»:2222/«word».git\npostgres://«user»@«host»:5432/«word»\nredis://«host»:6379/0\nhttps://«word».example/@«word»/«hex 12»\n",
        ),
    ),
];

const URL_LINES: &str = r#"
DATABASE_URL=postgres://localhost:5432/shop_development
DATABASE_URL=postgres://app@db.internal/shop
REDIS_URL=redis://redis:6379/0
AMQP_URL=amqp://rabbitmq:5672
jdbc:postgresql://db.internal:5432/shop?user=app&ssl=true
mongodb://mongo-0.mongo,mongo-1.mongo:27017/?replicaSet=rs0
https://cdn.jsdelivr.net/npm/vue@3.4.21/dist/vue.global.js
https://unpkg.com/react@18.2.0/umd/react.production.min.js
http://localhost:3000/auth/callback?code=abc&state=xyz
http://user:${PASSWORD}@proxy.internal:3128
https://$USER:$TOKEN@git.example.com/acme/app.git
https://{username}:{password}@{host}/{path}
git clone git@gitlab.com:acme/platform/web.git
rsync -a build/ deploy@web1.example.com:/srv/www/
scp -P 2222 app.tgz deploy@10.0.0.7:/tmp
docker pull registry.example.com:5000/team/app:1.4.2
mailto:support@example.com?subject=Password%20reset
s3://acme-backups/2026/11/30/db.dump
GET /api/v1/users/42/tokens?page=2&per_page=50 HTTP/1.1
wss://stream.example.com:9443/ws/btcusdt@depth
time=10:42:17 level=info addr=10.0.0.1:5432 user=app@shop
ftp://ftp.gnu.org/gnu/hello/hello-2.12.tar.gz
smtp://mail.internal:25
"#;

const INFRASTRUCTURE: Texts = &[("lines", Pool(9, INFRASTRUCTURE_LINES))];

const INFRASTRUCTURE_LINES: &str = r#"
variable "db_password" { type = string, sensitive = true }
resource "random_password" "db" { length = 24, special = true }
resource "aws_secretsmanager_secret" "stripe" { name = "prod/stripe" }
resource "aws_kms_key" "secrets" { enable_key_rotation = true }
  ~ resource "kubernetes_secret" "db" {
      + secret_string = (sensitive value)
      ~ secret_id     = "prod/db" -> (known after apply)
output "api_token" { value = random_id.token.hex, sensitive = true }
  - secretRef: { name: web-env }
        secretName: wildcard-example-com-tls
imagePullSecrets: [{ name: ghcr }]
serviceAccountName: deploy-token-reader
automountServiceAccountToken: false
kind: ExternalSecret
spec: { secretStoreRef: { name: vault, kind: ClusterSecretStore } }
  remoteRef: { key: prod/db, property: password }
- name: Set the password of the database user
  no_log: true
    password: "{{ db_password | password_hash('sha512') }}"
authorized_key: user=deploy key="{{ lookup('file', 'keys/deploy.pub') }}"
ManageMasterUserPassword: true
KmsMasterKeyId: alias/aws/sns
DeletionPolicy: Retain
AuthorizationType: AWS_IAM
ApiKeySourceType: HEADER
"#;

const CI: Texts = &[("lines", Pool(9, CI_LINES))];

const CI_LINES: &str = r#"
          token: ${{ secrets.GITHUB_TOKEN }}
          NPM_TOKEN: ${{ secrets.NPM_TOKEN }}
          password: ${{ secrets.DOCKERHUB_TOKEN }}
    environment: { name: production, url: "https://example.com" }
    secrets: inherit
      id-token: write
          github-token: ${{ github.token }}
          key: ${{ runner.os }}-pnpm-${{ hashFiles('pnpm-lock.yaml') }}
          ssh-private-key: ${{ secrets.DEPLOY_KEY }}
withCredentials([string(credentialsId: 'npm-token', variable: 'NPM_TOKEN')]) {
withCredentials([usernamePassword(credentialsId: 'nexus', usernameVariable: 'U', passwordVariable: 'P')]) {
  script: echo "$CI_REGISTRY_PASSWORD" | docker login -u "$CI_REGISTRY_USER" --password-stdin
  password: $(registryPassword)
  context: [npm-publish, slack-secrets]
##[add-mask]***
Run actions/create-github-app-token@v2
      private-key: ${{ secrets.APP_PRIVATE_KEY }}
env: { CARGO_REGISTRY_TOKEN: "${{ secrets.CRATES_IO }}" }
Post job cleanup: removing credentials from the git config
Error: Input required and not supplied: token
Warning: Unexpected input(s) 'api-key', valid inputs are ['token', 'path']
git config --local http.https://github.com/.extraheader AUTHORIZATION: basic ***
"#;

const HELP: Texts = &[("lines", Pool(8, HELP_LINES))];

const HELP_LINES: &str = r#"
  -p, --password[=name]  Password to use when connecting to server.
      --password <PASSWORD>    The password of the user [env: APP_PASSWORD=]
      --token <TOKEN>          API token, from https://example.com/settings/tokens
  -u, --user <user:password>  Server user and password
      --api-key string     key of the API (default $API_KEY)
      --password-stdin     Take the password from stdin
  -k, --key FILE           private key in PEM format
      --secret-file PATH   read the secret from PATH instead of the environment
usage: login [-h] [--username USERNAME] [--password PASSWORD] url
Enter passphrase for key '/home/dev/.ssh/id_ed25519':
Password for user postgres:
[sudo] password for dev:
Username for 'https://github.com': acme
Password for 'https://acme@github.com':
remote: Support for password authentication was removed on August 13, 2021.
fatal: Authentication failed for 'https://github.com/acme/app.git/'
ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.7' (using password: YES)
psql: error: FATAL:  password authentication failed for user "app"
npm error code ENEEDAUTH: need auth This command requires you to be logged in
error: no token found, please run `cargo login`
WRONGPASS invalid username-password pair or user is disabled.
Permission denied (publickey,password).
HTTP 401: Bad credentials (https://api.github.com/user)
Create one at https://platform.example.com/account/api-keys
The token was generated. Make sure to copy it, you will not see it again.
"#;

const EXAMPLES: Texts = &[("lines", Pool(7, EXAMPLE_LINES))];

const EXAMPLE_LINES: &str = r#"
The client sends `Authorization: Bearer <access token>` with each request.
Set `DATABASE_URL` to `postgres://user:password@host/db`.
Tokens begin with `ghp_`, and app tokens with `ghs_`.
| `API_KEY` | required | key of the payment provider |
| `SESSION_SECRET` | optional | at least 32 characters, see `openssl rand -hex 32` |
Pass the password by `--password-file`, never by `--password`.
- `secret` (string): used to sign the cookie
1. Create a personal access token with the scopes `repo` and `read:org`.
2. Export it: `export GITHUB_TOKEN=<token>`
A password hash looks like `$argon2id$v=19$m=65536,t=3,p=4$<salt>$<hash>`.
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
Keys have the form `AKIA` and 16 more characters.
`redis://:password@localhost:6379/0` selects database 0.
See RFC 6750 for bearer tokens and RFC 7617 for basic authentication.
>>> client.login("user@example.com", "password")
$ export API_TOKEN=$(security find-generic-password -s api -w)
Private keys start with `-----BEGIN OPENSSH PRIVATE KEY-----`.
"#;

const EMPTY: Texts = &[("lines", Pool(8, EMPTY_LINES))];

const EMPTY_LINES: &str = r#"
DB_PASSWORD=
API_KEY=""
password: ''
password: null
token: ~
"secret": null,
"apiKey": "",
secret = None
password = undefined
let token = null;
MYSQL_ALLOW_EMPTY_PASSWORD=yes
requirepass ""
token: false
auth: none
# DB_PASSWORD=
; password =
private_key: []
credentials: {}
"#;

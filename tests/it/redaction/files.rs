//! Credential files of programs, and other texts with a form of their own.

use sha2::{Digest, Sha256};

use super::document::{either, secret};
use super::template::Text::{Built, Lines, Once};
use super::template::{Table, Texts};
use super::values::{base64, base64_of, bytes, hex, password, user, word};

pub const FILES: Table = &[
    ("netrc", NETRC),
    ("npmrc", NPMRC),
    ("pgpass", PGPASS),
    ("docker-config", DOCKER_CONFIG),
    ("kubeconfig", KUBECONFIG),
    ("git-credentials", GIT_CREDENTIALS),
    ("my-cnf", MY_CNF),
    ("aws-credentials", AWS_CREDENTIALS),
    ("service-account", SERVICE_ACCOUNT),
    ("package-manager-settings", PACKAGE_MANAGERS),
    ("database-settings", DATABASES),
    ("framework-settings", FRAMEWORKS),
    ("password-hash", PASSWORD_HASHES),
    ("terraform-state", TERRAFORM_STATE),
    ("network-keys", NETWORK_KEYS),
    ("program-settings", PROGRAMS),
    ("one-time-passwords", ONE_TIME_PASSWORDS),
    ("wallet", WALLETS),
    ("cookie", COOKIES),
    ("basic-authorization", BASIC_AUTHORIZATION),
    ("opaque-bearer", OPAQUE_BEARERS),
    ("generated-password", GENERATED_PASSWORDS),
    ("password-in-prose", PASSWORDS_IN_PROSE),
];

const NETRC: Texts = &[
    ("one line", Once("machine api.«word».example login «user» password «!password»\n")),
    ("lines", Once("machine «word».example\n  login «user»\n  password «!password»\n\nmachine github.com\n  login «user»\n  password «!checked ghp_»\n")),
    ("default", Once("default login «user» password «!hex 40»\n")),
    ("echo", Once("echo \"machine git.«word».example login ci password «![A-Za-z0-9]{24}»\" >> ~/.netrc\n")),
];

const NPMRC: Texts = &[
    ("token", Once("registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=«!checked npm_»\nsave-exact=true\n")),
    ("uuid token", Once("@acme:registry=https://npm.«a=word».example/\n//npm.«a».example/:_authToken=«b=!uuid»\n")),
    ("auth", Once("always-auth=true\n_auth=«!basic»\nemail=«word»@example.com\n")),
    ("password", Once("//npm.«a=word».example/:username=«b=user»\n//npm.«a».example/:_password=«c=!base64_of password»\n")),
    ("npm config", Once("npm config set //npm.«word».example/:_authToken «!hex 40»\n")),
];

const PGPASS: Texts = &[
    ("file", Lines(3, "«host»:5432:«word»:«user»:«!password»")),
    ("wildcards", Once("*:*:*:«user»:«!password»\n")),
    ("echo", Once("echo '«host»:5432:*:«user»:«!password»' > ~/.pgpass && chmod 600 ~/.pgpass\n")),
];

const DOCKER_CONFIG: Texts = &[
    ("auth", Once("{\n  \"auths\": {\n    \"ghcr.io\": {\n      \"auth\": \"«!basic»\"\n    }\n  },\n  \"credsStore\": \"\"\n}\n")),
    ("identity token", Once("{\"auths\":{\"«word».azurecr.io\":{\"identitytoken\":\"«!jwt»\"}}}\n")),
    ("user and password", Once("{\"auths\": {\"registry.«word».example\": {\"username\": \"«user»\", \"password\": \"«!password»\"}}}\n")),
    (
        "in a secret",
        Built(|r| {
            let config = format!(
                "{{\"auths\":{{\"ghcr.io\":{{\"auth\":\"{}\"}}}}}}",
                base64_of(&format!("ci:{}", password(r)))
            );
            format!(
                "kind: Secret\ntype: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: {}\n",
                secret(&base64_of(&config))
            )
        }),
    ),
];

const KUBECONFIG: Texts = &[
    ("token", Once("users:\n- name: «word»\n  user:\n    token: «!jwt»\ncurrent-context: «word»\n")),
    (
        "client key",
        Built(|r| {
            let key = base64_of(&format!(
                "-----BEGIN RSA {} KEY-----\n{}\n-----END RSA {0} KEY-----\n",
                "PRIVATE",
                base64(r, 600)
            ));
            format!(
                "users:\n- name: kubernetes-{}\n  user:\n    client-key-data: {}\n",
                user(r),
                secret(&key)
            )
        }),
    ),
    ("password", Once("users:\n- name: «word»\n  user:\n    username: «user»\n    password: «!password»\n")),
    ("bootstrap token", Once("kubeadm join 10.0.0.«n 250»:6443 --token «![a-z0-9]{6}.[a-z0-9]{16}» \\\n  --discovery-token-ca-cert-hash sha256:«hex 64»\n")),
];

const GIT_CREDENTIALS: Texts = &[
    ("file", Once("https://«user»:«!checked ghp_»@github.com\nhttps://«user»:«!password»@gitlab.example.com\n")),
    ("remote -v", Once("origin\thttps://x-access-token:«a=!checked ghs_»@github.com/acme/«b=word».git (fetch)\norigin\thttps://x-access-token:«a»@github.com/acme/«b».git (push)\n")),
    ("config", Once("[remote \"origin\"]\n\turl = https://oauth2:«!glpat-[A-Za-z0-9_-]{20}»@gitlab.example.com/acme/«word».git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n")),
    ("credential fill", Once("protocol=https\nhost=git.«word».example\nusername=«user»\npassword=«!password»\n")),
    ("extra header", Once("git config --local http.https://github.com/.extraheader AUTHORIZATION: basic «!base64_of x-access-token:[A-Za-z0-9]{36}»\n")),
    ("clone", Once("git clone https://«!checked ghp_»@github.com/acme/«word».git\nCloning into '«word»'...\n")),
];

const MY_CNF: Texts = &[
    ("client", Once("[client]\nuser=«user»\npassword=«!password»\nhost=«host»\n")),
    ("quoted", Once("[mysqldump]\nuser = «user»\npassword = \"«!password»\"\nsingle-transaction\n")),
    ("replica", Once("CHANGE REPLICATION SOURCE TO SOURCE_HOST='«host»', SOURCE_USER='repl', SOURCE_PASSWORD='«!password»';\n")),
    ("user", Once("CREATE USER '«user»'@'%' IDENTIFIED BY '«!password»';\nGRANT SELECT ON shop.* TO '«user»'@'%';\n")),
    ("role", Once("CREATE ROLE «word» WITH LOGIN PASSWORD '«!password»';\nALTER ROLE «word» SET search_path = app;\n")),
];

const AWS_CREDENTIALS: Texts = &[
    ("file", Once("[default]\naws_access_key_id = «!AKIA[A-Z2-7]{16}»\naws_secret_access_key = «!aws_secret»\nregion = eu-west-1\n\n[«word»]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = default\n")),
    ("assume-role", Once("{\n    \"Credentials\": {\n        \"AccessKeyId\": \"«!ASIA[A-Z2-7]{16}»\",\n        \"SecretAccessKey\": \"«!aws_secret»\",\n        \"SessionToken\": \"IQoJb3JpZ2luX2Vj«!base64 240»\",\n        \"Expiration\": \"«time»\"\n    }\n}\n")),
    ("create-access-key", Once("{\"AccessKey\": {\"UserName\": \"«word»\", \"AccessKeyId\": \"«!AKIA[A-Z2-7]{16}»\", \"Status\": \"Active\", \"SecretAccessKey\": \"«!aws_secret»\"}}\n")),
    ("configure", Once("$ aws configure\nAWS Access Key ID [None]: «!AKIA[A-Z2-7]{16}»\nAWS Secret Access Key [None]: «!aws_secret»\nDefault region name [None]: eu-west-1\n")),
    ("configure set", Once("aws configure set aws_secret_access_key «!aws_secret»\naws configure set region eu-west-1\n")),
    ("csv", Once("Access key ID,Secret access key\n«!AKIA[A-Z2-7]{16}»,«!aws_secret»\n")),
    ("boto3", Once("s3 = boto3.client(\n    's3',\n    aws_access_key_id='«!AKIA[A-Z2-7]{16}»',\n    aws_secret_access_key='«!aws_secret»',\n)\n")),
    ("sdk v3", Once("const s3 = new S3Client({\n  region: 'eu-west-1',\n  credentials: { accessKeyId: '«!AKIA[A-Z2-7]{16}»', secretAccessKey: '«!aws_secret»' },\n});\n")),
    ("prompt", Once("«prose»\nkey id «!AKIA[A-Z2-7]{16}» and secret key «!aws_secret»\n")),
];

const SERVICE_ACCOUNT: Texts = &[
    (
        "file",
        Built(|r| {
            let label = "PRIVATE";
            let key = format!(
                "-----BEGIN {label} KEY-----\\n{}\\n-----END {label} KEY-----\\n",
                base64(r, 1218)
                    .as_bytes()
                    .chunks(64)
                    .map(|l| str::from_utf8(l).unwrap())
                    .collect::<Vec<_>>()
                    .join("\\n")
            );
            format!(
                "{{\n  \"type\": \"service_account\",\n  \"project_id\": \"{}-prod\",\n  \"private_key_id\": \"{}\",\n  \"private_key\": \"{}\",\n  \"client_email\": \"{}@{}-prod.iam.gserviceaccount.com\",\n  \"token_uri\": \"https://oauth2.googleapis.com/token\"\n}}\n",
                word(r),
                either(&hex(r, 40)),
                secret_key_content(&key),
                user(r),
                word(r)
            )
        }),
    ),
    (
        "one line in the environment",
        Built(|r| {
            let label = "PRIVATE";
            let key = format!(
                "-----BEGIN {label} KEY-----\\n{}\\n-----END {label} KEY-----\\n",
                base64(r, 1218)
            );
            format!(
                "PORT=8080\nGOOGLE_CREDENTIALS={{\"type\":\"service_account\",\"private_key\":\"{}\",\"client_email\":\"{}@acme.iam.gserviceaccount.com\"}}\n",
                secret_key_content(&key),
                user(r)
            )
        }),
    ),
    (
        "base64",
        Built(|r| {
            let json =
                format!("{{\"type\":\"service_account\",\"private_key\":\"{}\"}}", base64(r, 1218));
            format!("GCP_SA_KEY={}\nREGION=europe-west4\n", secret(&base64_of(&json)))
        }),
    ),
    ("refresh token", Once("{\n  \"client_id\": \"«?[0-9]{12}-[a-z0-9]{32}».apps.googleusercontent.com\",\n  \"client_secret\": \"«!GOCSPX-[A-Za-z0-9_-]{28}»\",\n  \"refresh_token\": \"«!1//0[0-9][A-Za-z0-9_-]{98}»\",\n  \"type\": \"authorized_user\"\n}\n")),
];

/// Marks what stands between the lines BEGIN and END of a key on one line.
fn secret_key_content(key: &str) -> String {
    let frame = "KEY-----\\n";
    let from = key.find(frame).unwrap() + frame.len();
    let to = key.rfind("\\n-----END").unwrap();
    format!("{}{}{}", either(&key[..from]), secret(&key[from..to]), either(&key[to..]))
}

const PACKAGE_MANAGERS: Texts = &[
    ("maven", Once("<settings>\n  <servers>\n    <server>\n      <id>«word»</id>\n      <username>«user»</username>\n      <password>«!password»</password>\n    </server>\n  </servers>\n</settings>\n")),
    ("gradle", Once("org.gradle.jvmargs=-Xmx4g\nossrhUsername=«user»\nossrhPassword=«!password»\nsigning.keyId=«?[0-9A-F]{8}»\nsigning.password=«!password»\n")),
    ("nuget", Once("<packageSourceCredentials>\n  <«a=word»>\n    <add key=\"Username\" value=\"«b=user»\" />\n    <add key=\"ClearTextPassword\" value=\"«c=!password»\" />\n  </«a»>\n</packageSourceCredentials>\n")),
    ("pip", Once("[global]\nindex-url = https://«user»:«!password»@pypi.«word».example/simple\ntimeout = 60\n")),
    ("pypirc", Once("[pypi]\nusername = __token__\npassword = «!pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{150}»\n")),
    ("composer", Once("{\n    \"http-basic\": {\n        \"repo.«word».example\": {\n            \"username\": \"«user»\",\n            \"password\": \"«!password»\"\n        }\n    }\n}\n")),
    ("cargo", Once("[registry]\ntoken = \"«!cio[A-Za-z0-9]{32}»\"\n")),
    ("bundler", Once("---\nBUNDLE_PATH: \"vendor/bundle\"\nBUNDLE_GEMS__«WORD»__EXAMPLE: \"«user»:«!password»\"\n")),
    ("yarn", Once("npmRegistries:\n  \"https://npm.«word».example\":\n    npmAuthToken: \"«![A-Za-z0-9]{40}»\"\n    npmAlwaysAuth: true\n")),
];

const DATABASES: Texts = &[
    ("rails", Once("production:\n  adapter: postgresql\n  host: «host»\n  username: «user»\n  password: «!password»\n  pool: 5\n")),
    ("spring", Once("spring:\n  datasource:\n    url: jdbc:postgresql://«host»:5432/«word»\n    username: «user»\n    password: «!password»\n")),
    ("spring properties", Once("spring.datasource.username=«user»\nspring.datasource.password=«!password»\nspring.jpa.show-sql=false\n")),
    ("ado", Once("\"ConnectionStrings\": {\n  \"Default\": \"Server=«host»,1433;Database=«word»;User Id=«user»;Password=«!password»;Encrypt=True;\"\n}\n")),
    ("npgsql", Once("Host=«host»;Port=5432;Username=«user»;Password=«!password»;Database=«word»\n")),
    ("odbc", Once("DRIVER={ODBC Driver 18 for SQL Server};SERVER=«host»;UID=«user»;PWD=«!password»;\n")),
    ("libpq", Once("psql \"host=«host» dbname=«word» user=«user» password=«!password» sslmode=require\"\n")),
    ("jdbc", Once("jdbc:mysql://«host»:3306/«word»?user=«user»&password=«!password»&useSSL=true\n")),
    ("azure storage", Once("DefaultEndpointsProtocol=https;AccountName=«word»;AccountKey=«!base64 64»;EndpointSuffix=core.windows.net\n")),
    ("azure service bus", Once("Endpoint=sb://«word».servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=«!base64 32»\n")),
    ("cosmos", Once("AccountEndpoint=https://«word».documents.azure.com:443/;AccountKey=«!base64 64»;\n")),
    ("django", Once("DATABASES = {\n    'default': {\n        'ENGINE': 'django.db.backends.postgresql',\n        'USER': '«user»',\n        'PASSWORD': '«!password»',\n        'HOST': '«host»',\n    }\n}\n")),
    ("connect in python", Once("conn = psycopg.connect(host=\"«host»\", user=\"«user»\", password=\"«!password»\", dbname=\"«word»\")\n")),
    ("connect in javascript", Once("const pool = new Pool({\n  host: '«host»',\n  user: '«user»',\n  password: '«!password»',\n  max: 20,\n});\n")),
];

const FRAMEWORKS: Texts = &[
    ("django", Once("DEBUG = False\nSECRET_KEY = 'django-insecure-«![a-z0-9!@#$^&*(_=+)-]{49}[a-z0-9]»'\nALLOWED_HOSTS = ['«word».example']\n")),
    ("rails", Once("production:\n  secret_key_base: «!hex 128»\n")),
    ("laravel", Once("APP_ENV=production\nAPP_KEY=base64:«!base64 32»\nAPP_DEBUG=false\n")),
    ("wordpress", Once("define( 'DB_USER', '«user»' );\ndefine( 'DB_PASSWORD', '«!password»' );\ndefine( 'AUTH_KEY', '«![A-Za-z0-9!@#%^*_;:,.<>-]{64}»' );\n")),
    ("flask", Once("app = Flask(__name__)\napp.secret_key = \"«!hex 48»\"\napp.run()\n")),
    ("express", Once("app.use(session({ secret: '«![A-Za-z0-9]{32}»', resave: false, saveUninitialized: true }));\n")),
    ("phoenix", Once("config :«a=word», «a»Web.Endpoint,\n  secret_key_base: \"«b=!base64 48»\"\n")),
    ("jwt", Once("const token = jwt.sign({ id: user.id }, '«![A-Za-z0-9]{40}»', { expiresIn: '1h' });\n")),
    ("ansible", Once("---\napp_port: 8080\ndb_password: \"«!password»\"\ngrafana_admin_password: «!password»\n")),
];

const PASSWORD_HASHES: Texts = &[
    ("shadow", Once("root:*:19800:0:99999:7:::\n«user»:«!$6$[A-Za-z0-9./]{16}$[A-Za-z0-9./]{86}»:19822:0:99999:7:::\n")),
    ("shadow, yescrypt", Once("«user»:«!$y$j9T$[A-Za-z0-9./]{22}$[A-Za-z0-9./]{43}»:20001:0:99999:7:::\n")),
    ("htpasswd", Once("«user»:«!$apr1$[A-Za-z0-9./]{8}$[A-Za-z0-9./]{22}»\n")),
    ("bcrypt", Once("«user»:«!$2y$10$[A-Za-z0-9./]{53}»\n")),
    ("argon2", Once(" id |   email   | password_hash\n----+-----------+---------------\n  «n 90» | a@b.example | «!$argon2id$v=19$m=65536,t=3,p=4$[A-Za-z0-9+/]{22}$[A-Za-z0-9+/]{43}»\n")),
    ("django", Once("'password': '«!pbkdf2_sha256$870000$[A-Za-z0-9]{22}$[A-Za-z0-9+/]{43}=»'\n")),
];

const TERRAFORM_STATE: Texts = &[
    ("state", Once("          \"attributes\": {\n            \"allocated_storage\": «n 500»,\n            \"engine\": \"postgres\",\n            \"password\": \"«!password»\",\n            \"username\": \"«user»\"\n          }\n")),
    ("output", Once("Outputs:\n\ndb_endpoint = \"«host»:5432\"\ndb_password = \"«!password»\"\n")),
    ("output -json", Once("{\n  \"admin_password\": {\n    \"sensitive\": true,\n    \"type\": \"string\",\n    \"value\": \"«!password»\"\n  }\n}\n")),
    ("random_password", Once("      \"type\": \"random_password\",\n      \"name\": \"«word»\",\n            \"result\": \"«![A-Za-z0-9!*_-]{23}[A-Z0-9]»\",\n            \"special\": true,\n")),
];

const NETWORK_KEYS: Texts = &[
    ("wireguard", Once("[Interface]\nAddress = 10.8.0.«n 250»/24\nPrivateKey = «!base64 32»\n\n[Peer]\nPublicKey = «?base64 32»\nAllowedIPs = 0.0.0.0/0\n")),
    ("wireguard preshared", Once("[Peer]\nAllowedIPs = 10.8.0.«n 250»/32\nPresharedKey = «!base64 32»\n")),
    ("wpa_supplicant", Once("network={\n    ssid=\"«word»\"\n    psk=\"«!password»\"\n}\n")),
    ("nmcli", Once("nmcli device wifi connect «word» password «!password»\n")),
    ("ipsec", Once("10.0.0.«n 250» «host» : PSK \"«![A-Za-z0-9]{32}»\"\n")),
    ("snmp", Once("createUser «user» SHA \"«!password»\" AES \"«!password»\"\n")),
];

const PROGRAMS: Texts = &[
    ("gh", Once("github.com:\n    user: «word»\n    oauth_token: «!checked gho_»\n    git_protocol: https\n")),
    ("rclone", Once("[«word»]\ntype = sftp\nhost = «host»\nuser = «user»\npass = «![A-Za-z0-9_-]{40}»\n")),
    ("rclone s3", Once("[«word»]\ntype = s3\naccess_key_id = «!AKIA[A-Z2-7]{16}»\nsecret_access_key = «!aws_secret»\nregion = eu-west-1\n")),
    ("filezilla", Once("<Server>\n  <Host>«host»</Host>\n  <User>«user»</User>\n  <Pass encoding=\"base64\">«!base64_of password»</Pass>\n</Server>\n")),
    ("msmtp", Once("account «word»\nhost smtp.example.com\nuser «user»@example.com\npassword «!password»\n")),
    ("postfix", Once("[smtp.example.com]:587 «user»@example.com:«!password»\n")),
    ("s3cfg", Once("[default]\naccess_key = «!AKIA[A-Z2-7]{16}»\nsecret_key = «!aws_secret»\nuse_https = True\n")),
    ("grafana.ini", Once("[security]\nadmin_user = admin\nadmin_password = «!password»\n[smtp]\npassword = «!password»\n")),
    ("redis.conf", Once("port 6379\nrequirepass «!password»\nmaxmemory 2gb\n")),
    ("tomcat", Once("<user username=\"«user»\" password=\"«!password»\" roles=\"manager-gui\"/>\n")),
    ("vault", Once("Unseal Key 1: «!base64 33»\nUnseal Key 2: «!base64 33»\n\nInitial Root Token: «!hvs.[A-Za-z0-9]{24}»\n")),
    ("ssh config of a tool", Once("  - hostname: «host»\n    ssh_user: «user»\n    ssh_pass: \"«!password»\"\n")),
];

const ONE_TIME_PASSWORDS: Texts = &[
    ("otpauth", Once("otpauth://totp/«a=word»:«user»@example.com?secret=«![A-Z2-7]{32}»&issuer=«a»\n")),
    ("setting", Once("TOTP_SECRET=«![A-Z2-7]{32}»\nTOTP_PERIOD=30\n")),
    ("oathtool", Once("oathtool --totp -b «![A-Z2-7]{32}»\n")),
    ("recovery codes", Once("Your recovery codes:\n«![a-f0-9]{5}-[a-f0-9]{5}»\n«![a-f0-9]{5}-[a-f0-9]{5}»\n«![a-f0-9]{5}-[a-f0-9]{5}»\n«![a-f0-9]{5}-[a-f0-9]{5}»\n")),
];

const WALLETS: Texts = &[
    (
        "wif",
        Built(|r| {
            let mut key = vec![0x80];
            key.extend(bytes(r, 32));
            key.push(1);
            format!("bitcoin-cli importprivkey {}\n", secret(&base58_check(&key)))
        }),
    ),
    (
        "extended key",
        Built(|r| {
            let mut key = vec![0x04, 0x88, 0xad, 0xe4];
            key.extend(bytes(r, 74));
            format!("master: {}\nindex: {}\n", secret(&base58_check(&key)), r.below(20))
        }),
    ),
    ("ethereum", Once("PRIVATE_KEY=0x«!hex 64»\nRPC_URL=https://rpc.«word».example\n")),
    ("hardhat", Once("Account #«n 20»: 0x«?hex 40» (10000 ETH)\nPrivate Key: 0x«!hex 64»\n")),
    ("cast", Once("cast send --rpc-url http://localhost:8545 --private-key 0x«!hex 64» 0x«?hex 40»\n")),
    (
        "seed phrase",
        Built(|r| {
            const SEED: [&str; 48] = [
                "abandon", "ability", "absent", "access", "acoustic", "actor", "adapt", "again",
                "album", "amused", "anchor", "antique", "arena", "artwork", "atom", "banana",
                "basket", "bicycle", "blossom", "bonus", "bridge", "cabbage", "candy", "cereal",
                "citizen", "coconut", "copper", "crystal", "dolphin", "dragon", "eagle", "enlist",
                "fabric", "famous", "filter", "galaxy", "garlic", "hamster", "hockey", "invest",
                "jungle", "ladder", "maximum", "noodle", "oxygen", "pottery", "rabbit", "zebra",
            ];
            let words: Vec<&str> = (0..12).map(|_| r.pick(&SEED)).collect();
            let phrase = secret(&words.join(" "));
            match r.below(3) {
                0 => format!("MNEMONIC=\"{phrase}\"\nNETWORK=sepolia\n"),
                1 => format!("Seed phrase: {phrase}\nKeep it safe.\n"),
                _ => format!("{{\"network\": \"hardhat\", \"mnemonic\": \"{phrase}\"}}\n"),
            }
        }),
    ),
];

fn base58_check(payload: &[u8]) -> String {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let checksum = Sha256::digest(Sha256::digest(payload));
    let bytes = [payload, &checksum[..4]].concat();
    let mut digits: Vec<u32> = Vec::new();
    for byte in &bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    digits.iter().rev().map(|digit| char::from(ALPHABET[*digit as usize])).collect()
}

const COOKIES: Texts = &[
    ("request", Once("> GET /account HTTP/1.1\n> Host: «word».example\n> Cookie: theme=dark; sessionid=«![a-z0-9]{32}»; csrftoken=«![A-Za-z0-9]{32}»\n")),
    ("response", Once("< HTTP/2 302\n< Set-Cookie: connect.sid=s%3A«![A-Za-z0-9_-]{32}.[A-Za-z0-9]{43}»; Path=/; HttpOnly\n< location: /«word»\n")),
    ("curl", Once("curl -b 'PHPSESSID=«![a-z0-9]{26}»' https://«word».example/admin\n")),
    ("curl --cookie", Once("curl --cookie \"JSESSIONID=«![0-9A-F]{32}»; lang=en\" https://«word».example/\n")),
    ("jwt", Once("Cookie: lang=en; access_token=«!jwt»\n")),
    ("netscape file", Once("# Netscape HTTP Cookie File\n.«word».example\tTRUE\t/\tTRUE\t1799999999\tsession_token\t«![A-Za-z0-9_-]{42}[A-Za-z0-9]»\n")),
];

const BASIC_AUTHORIZATION: Texts = &[
    ("header", Once("curl -H 'Authorization: Basic «!basic»' https://«word».example/api\n")),
    ("trace", Once("> POST /rest/api/2/issue HTTP/1.1\n> Authorization: Basic «!basic»\n> Accept: */*\n")),
    ("json", Once("{\"headers\": {\"Authorization\": \"Basic «!basic»\", \"Accept\": \"*/*\"}}\n")),
    ("proxy", Once("Proxy-Authorization: Basic «!basic»\nProxy-Connection: keep-alive\n")),
    ("auth in axios", Once("axios.get(url, { auth: { username: '«user»', password: '«!password»' } })\n")),
    ("auth in requests", Once("requests.get(url, auth=(\"«user»\", \"«!password»\"))\n")),
];

const OPAQUE_BEARERS: Texts = &[
    ("curl", Once("curl -H \"Authorization: Bearer «!opaque»\" https://api.«word».example/v1/me\n")),
    ("trace", Once("> authorization: Bearer «!opaque»\n> accept: application/json\n")),
    ("code", Once("headers.set(\"Authorization\", \"Bearer «!opaque»\")\n")),
    ("httpie", Once("http GET api.«word».example/users 'Authorization: Bearer «!opaque»'\n")),
    ("response", Once("{\"access_token\":\"«!opaque»\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"refresh_token\":\"«!opaque»\"}\n")),
    ("query", Once("wss://stream.«word».example/v1?access_token=«!opaque»\n")),
    ("signed url", Once("https://«word».blob.core.windows.net/backup/«word».gz?sv=2025-01-05&se=2026-12-01&sr=b&sp=r&sig=«![A-Za-z0-9]{20}%2B[A-Za-z0-9]{22}»%3D\n")),
    ("cookie of a terminal", Once("    http://localhost:8888/lab?token=«!hex 48»\n")),
    ("basic, with an opaque password", Once("Authorization: Basic «!base64_of app:[A-Za-z0-9]{40}»\n")),
];

const GENERATED_PASSWORDS: Texts = &[
    ("mysql", Once("«time» 1 [Note] A temporary password is generated for root@localhost: «![A-Za-z0-9]{4}[;_,.!][A-Za-z0-9]{6}[0-9]»\n")),
    ("mysql in docker", Once("«log 0 2»«time» [Note] [Entrypoint]: GENERATED ROOT PASSWORD: «![A-Za-z0-9]{32}»\n")),
    ("spring", Once("\nUsing generated security password: «!uuid»\n\n")),
    ("elastic", Once("Password for the elastic user (reset with `bin/elasticsearch-reset-password -u elastic`):\n  «![A-Za-z0-9*_-]{19}[A-Z0-9]»\n")),
    ("user", Once("User: «user»\nPassword: «!password»\n")),
    ("user and login", Once("Login:    «user»\nPassword: «!password»\nURL:      https://«host».example\n")),
    ("htpasswd", Once("«build 0 3»admin password: «!password»\n")),
    ("minio", Once("RootUser: «user»\nRootPass: «![A-Za-z0-9]{24}»\n")),
];

const PASSWORDS_IN_PROSE: Texts = &[
    ("is", Once("«prose»\nThe password is «!password».\n«prose»\n")),
    ("is, in quotes", Once("«prose»\nmy password for the server is \"«!password»\", please use it\n")),
    ("colon", Once("«prose»\npassword: «!password»\n")),
    ("user and password", Once("ssh «user»@«host», password «!password»\n")),
    ("abbreviated", Once("login «user» pw: «!password»\n")),
    ("german", Once("«prose»\nDas Passwort lautet «!password»\n")),
    ("passphrase", Once("«prose»\nthe passphrase is `«!password»`\n")),
    ("with", Once("Log in as «user» with password «!password» and check the page.\n")),
    ("changed to", Once("«prose»\nI changed the password to «!password» yesterday.\n")),
];

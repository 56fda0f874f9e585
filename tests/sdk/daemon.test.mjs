// SPDX-License-Identifier: Apache-2.0
// The vendor's SDKs judge the daemon: what it signs and what it sends is what they sign and send for the same input.
import assert from 'node:assert/strict';
import { createHmac, createVerify, timingSafeEqual } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
    Cleanup, Sdks, Vendor, decodeJwt, decodeSessionId, decodeT1, header, makeRsaKey, program, run, temporaryDirectory,
    writeSecret,
} from './support.mjs';

const project = { key: '47665971', secret: '0123456789abcdef0123456789abcdef01234567' };
const application = { id: '29f760f8-7ce1-46c9-ade3-f2dedee4ed5f', ...makeRsaKey() };
const projects = ['jwt', 't1', 'vonage'];

const mediaModes = { routed: 'disabled', relayed: 'enabled' };

// The columns of a meeting that decide on its session.
const meetings = {
    plain: {},
    relayed: { media_mode: 'relayed' },
    archived: { archive_mode: 'always' },
    named: { archive_mode: 'always', archive_name: "Jour fixe & co – ü ~*'()!", archive_resolution: '1280x720' },
    near: { location: '12.34.56.78' },
    encrypted: { e2ee: 1 },
    full: {
        media_mode: 'routed', archive_mode: 'always', archive_name: 'n_-:.', archive_resolution: '1080x1920',
        location: '255.255.255.255',
    },
};

// The columns of a participant that decide on its token.
const participants = {
    'all at once': { role: 'moderator', connection_data: 'name=Zoë;x=1', layout_classes: 'focus big' },
};
for (const role of ['subscriber', 'publisher', 'publisheronly', 'moderator']) participants[role] = { role };
for (const [name, data] of Object.entries({
    'empty data': '',
    'json data': '{"name":"Ann \\"A\\" O\'Neil","n":[1,2],"path":"a/b\\\\c"}',
    'reserved data': "a b+c&d=e%20f;g:h/i?j#k@l!m~n*o'(p)q,r$s[t]|u^v`w{x}\"y\\z",
    'control data': '\u0001\b\t\n\u000b\f\r\u001f\u007f',
    'wide data': 'Grüße, Жар-птица, 日本語, 👩‍🚀, \u2028\u2029\ufeff',
    'html data': '<script>alert("&amp;")</script>',
    'long data': 'é'.repeat(500),
})) {
    participants[name] = { role: 'publisher', connection_data: data };
}
for (const [name, classes] of Object.entries({
    'one class': 'full',
    'some classes': 'focus small_1 Big-2',
    'no class': '',
    'long class': 'c'.repeat(1000),
})) {
    participants[name] = { role: 'publisher', layout_classes: classes };
}

const cleanup = new Cleanup();
let vendor;
let sdks;
const credentials = new Map(); // by project, meeting and participant
let requests; // of the daemon

function sqlValue(value) {
    return typeof value === 'number' ? String(value) : `CAST(x'${Buffer.from(value).toString('hex')}' AS TEXT)`;
}

function insert(table, row) {
    const values = Object.values(row).map(sqlValue);
    return `INSERT INTO ${table} (${Object.keys(row).join(', ')}) VALUES (${values.join(', ')});\n`;
}

async function check(path, args, input) {
    const { status, stdout, stderr } = await run(path, args, input);
    assert.equal(status, 0, `${path} ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
}

before(async () => {
    const directory = temporaryDirectory(cleanup);
    vendor = await Vendor.start(directory, cleanup, { project, application });
    sdks = new Sdks(vendor, cleanup);

    writeSecret(join(directory, 'secret'), `${project.secret}\n`);
    writeSecret(join(directory, 'key.pem'), application.pem);
    const where = `base_url: "${vendor.url}", ca_file: ${vendor.caFile}, rate: 1000, concurrency: 8`;
    const legacy = `provider: opentok, api_key: "${project.key}", api_secret: {file: secret}, ${where}`;
    const config = join(directory, 'usher.yaml');
    writeFileSync(
        config,
        `database: usher.db
projects:
  jwt: {${legacy}, token_format: jwt}
  t1: {${legacy}, token_format: t1}
  vonage: {provider: vonage, application_id: ${application.id}, private_key: {file: key.pem}, ${where}}
`,
    );
    await check(program('usherctl'), ['--config', config, 'init']);

    const now = Math.floor(Date.now() / 1000);
    let sql = 'BEGIN;\n';
    for (const name of projects) {
        for (const [meeting, columns] of Object.entries(meetings)) {
            const id = `${name}/${meeting}`;
            sql += insert('meeting', { id, starts_at: now, ends_at: now + 3600, project: name, ...columns });
            const joining = meeting === 'plain' ? participants : { publisher: participants.publisher };
            for (const [participant, rights] of Object.entries(joining))
                sql += insert('participant', { meeting_id: id, participant_id: participant, ...rights });
        }
    }
    const database = join(directory, 'usher.db');
    await check('sqlite3', ['-bail', database], `${sql}COMMIT;\n`);
    await check(program('usherd'), ['--config', config, '--once']);
    const rows = JSON.parse(await check('sqlite3', ['-json', database, 'SELECT * FROM join_credential']));
    for (const row of rows) credentials.set(`${row.meeting_id}/${row.participant_id}`, row);
    requests = await vendor.requests();
});
after(() => cleanup.run());

function callSdk(name, method, ...args) {
    return name === 'vonage'
        ? sdks.call('@vonage/video', { id: application.id, pem: application.pem, url: vendor.url }, method, ...args)
        : sdks.call('opentok', { ...project, url: vendor.url }, method, ...args);
}

function verifyRs256({ signed, signature }) {
    return createVerify('RSA-SHA256').update(signed).verify(application.publicPem, signature);
}

function verifyHs256({ signed, signature }) {
    const expected = createHmac('sha256', project.secret).update(signed).digest();
    return expected.length === signature.length && timingSafeEqual(expected, signature);
}

/** What the SDK signs for the same session, rights and expiry. */
function signWithSdk(name, credential, { role, connection_data: data, layout_classes: classes }) {
    const options = { role, expireTime: credential.expires_at };
    if (data !== undefined) options.data = data;
    if (classes !== undefined) options.initialLayoutClassList = classes === '' ? [] : classes.split(' ');
    if (name === 'vonage') return callSdk(name, 'generateClientToken', credential.session_id, options);
    return callSdk(name, 'generateToken', credential.session_id, options, name === 't1');
}

// What differs from one token to the next.
const ownJwtClaims = ['nonce', 'jti', 'iat', 'create_time'];
const ownT1Fields = ['nonce', 'create_time'];

function withoutOwn(claims, own) {
    const entries = Object.entries(claims);
    return Object.fromEntries(entries.map(([key, value]) => [key, own.includes(key) ? typeof value : value]));
}

const uuid4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function compareJwt(ours, theirs, verify, credential) {
    const [token, judge] = [decodeJwt(ours), decodeJwt(theirs)];
    assert.ok(verify(judge));
    assert.ok(verify(token));
    assert.deepEqual(Object.entries(token.header), Object.entries(judge.header));
    assert.deepEqual(Object.keys(token.claims), Object.keys(judge.claims));
    assert.deepEqual(withoutOwn(token.claims, ownJwtClaims), withoutOwn(judge.claims, ownJwtClaims));
    // The bytes, and with them each escape.
    const own = ownJwtClaims.filter((key) => key in judge.claims).map((key) => [key, token.claims[key]]);
    assert.equal(token.claimsText, JSON.stringify({ ...judge.claims, ...Object.fromEntries(own) }));
    assert.equal(token.claims.exp, credential.expires_at);
    assert.equal(token.claims.iat, credential.issued_at);
    if ('create_time' in token.claims) assert.equal(token.claims.create_time, credential.issued_at);
    if ('nonce' in token.claims) assert.ok(Number.isSafeInteger(token.claims.nonce));
    if ('jti' in token.claims) for (const { claims } of [token, judge]) assert.match(claims.jti, uuid4);
}

function compareT1(ours, theirs, credential) {
    const [token, judge] = [decodeT1(ours), decodeT1(theirs)];
    for (const { envelope, signed } of [token, judge]) {
        assert.deepEqual([...envelope.keys()], ['partner_id', 'sig']);
        assert.equal(envelope.get('partner_id'), project.key);
        assert.equal(envelope.get('sig'), createHmac('sha1', project.secret).update(signed).digest('hex'));
    }
    const comparable = ({ fields }) => fields.map(([key, value]) => (ownT1Fields.includes(key) ? [key] : [key, value]));
    assert.deepEqual(comparable(token), comparable(judge));
    const fields = Object.fromEntries(token.fields);
    assert.equal(fields.expire_time, String(credential.expires_at));
    assert.equal(fields.create_time, String(credential.issued_at));
    assert.match(fields.nonce, /^[0-9]{16}$/);
}

for (const name of projects) {
    describe(`a token of project ${name} is the SDK's`, () => {
        for (const [participant, rights] of Object.entries(participants)) {
            test(participant, async () => {
                const credential = credentials.get(`${name}/plain/${participant}`);
                assert.ok(credential, 'there is none');

                const theirs = await signWithSdk(name, credential, rights);

                if (name === 't1') compareT1(credential.token, theirs, credential);
                else compareJwt(credential.token, theirs, name === 'vonage' ? verifyRs256 : verifyHs256, credential);
            });
        }
    });
}

/** What the SDK is asked for the same session: the opentok package takes every option, @vonage/video three. */
function sdkOptions(name, columns) {
    const options = { mediaMode: columns.media_mode ?? 'routed', archiveMode: columns.archive_mode ?? 'manual' };
    if (columns.location) options.location = columns.location;
    if (name === 'vonage') return { ...options, mediaMode: mediaModes[options.mediaMode] };
    if (columns.archive_name) options.archiveName = columns.archive_name;
    if (columns.archive_resolution) options.archiveResolution = columns.archive_resolution;
    if (columns.e2ee) options.e2ee = true;
    return options;
}

/** The form, sorted: the order of its fields differs from one SDK to the next. */
function formOf(record) {
    return [...new URLSearchParams(record.body)].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The form that @vonage/video would send if it had all options and no text `null`. */
function repaired(form, columns) {
    const fields = form.filter(([key, value]) => !(key === 'location' && value === 'null'));
    if (columns.archive_name) fields.push(['archiveName', columns.archive_name]);
    if (columns.archive_resolution) fields.push(['archiveResolution', columns.archive_resolution]);
    if (columns.e2ee) fields.push(['e2ee', 'true']);
    return fields.sort(([a], [b]) => (a < b ? -1 : 1));
}

// User-Agent is to differ. What a client of HTTP adds says nothing about the call: connection, lengths, encodings,
// and what the Fetch standard has node send. `headers` is a slip of opentok, the text `[object Object]`.
const incidental = [
    'user-agent', 'connection', 'content-length', 'accept-encoding', 'accept-language', 'sec-fetch-mode', 'host',
    'headers',
];

function headersOf(record) {
    const pairs = record.headers.map(([key, value]) => [key.toLowerCase(), value]);
    const kept = pairs.filter(([key]) => !incidental.includes(key)).map(([key, value]) => {
        return [key, key === 'authorization' ? value.split(' ')[0] : key === 'x-opentok-auth' ? 'JWT' : value];
    });
    return kept.sort(([a], [b]) => (a < b ? -1 : 1));
}

function authOf(record) {
    return decodeJwt(header(record, 'x-opentok-auth') || header(record, 'authorization').replace(/^Bearer /, ''));
}

for (const name of projects) {
    describe(`the daemon's request for a session of project ${name} is the SDK's`, () => {
        for (const [meeting, columns] of Object.entries(meetings)) {
            test(meeting, async () => {
                const credential = credentials.get(`${name}/${meeting}/publisher`);
                assert.ok(credential, 'there is no session');
                const sessions = await vendor.sessions();
                const index = sessions.findIndex(({ id }) => id === credential.session_id);
                const ours = requests[index]; // each of them made a session

                await callSdk(name, 'createSession', sdkOptions(name, columns));
                const theirs = (await vendor.requests()).at(-1);

                assert.equal(theirs.status, 200);
                const line = ({ method, target, status }) => [method, target, status];
                assert.deepEqual(line(ours), line(theirs));
                assert.deepEqual(headersOf(ours), headersOf(theirs));
                assert.match(header(ours, 'user-agent'), /^usher\//);
                const form = formOf(theirs);
                assert.deepEqual(formOf(ours), name === 'vonage' ? repaired(form, columns) : form);

                const [token, judge] = [authOf(ours), authOf(theirs)];
                const verify = name === 'vonage' ? verifyRs256 : verifyHs256;
                assert.ok(verify(token));
                assert.deepEqual(Object.entries(token.header), Object.entries(judge.header));
                assert.deepEqual(Object.keys(token.claims), Object.keys(judge.claims));
                const own = ['iat', 'exp', 'jti'];
                assert.deepEqual(withoutOwn(token.claims, own), withoutOwn(judge.claims, own));
                // @vonage/video lets it live for 15 minutes; five are the most that OpenTok takes. Ours is good for a
                // minute, so that a vendor whose clock is further ahead refuses it, and is dated back by clock_skew.
                const life = ({ claims }) => claims.exp - claims.iat;
                assert.equal(life(judge), name === 'vonage' ? 900 : 300);
                assert.equal(life(token), 61 + 10);
                assert.ok(token.claims.iat * 1000 <= ours.time_ms, 'it is from the future');
                if ('jti' in token.claims) assert.match(token.claims.jti, uuid4);
            });
        }
    });
}

test('the daemon asks once for each session, with another jti each time', () => {
    assert.equal(requests.length, projects.length * Object.keys(meetings).length);
    assert.ok(requests.every(({ status }) => status === 200));
    const ids = requests.filter((record) => header(record, 'authorization')).map((record) => authOf(record).claims.jti);
    assert.equal(new Set(ids).size, Object.keys(meetings).length);
});

test('the daemon hands out the key that the session and the token are of', () => {
    for (const credential of credentials.values()) {
        const key = credential.project === 'vonage' ? application.id : project.key;
        assert.equal(credential.project_key, key);
        assert.equal(decodeSessionId(credential.session_id)[1], key);
    }
});

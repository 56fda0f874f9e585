// SPDX-License-Identifier: Apache-2.0
// The vendor's SDKs judge the stand-in: it takes what they send, and they make of its answers what they make of the
// vendor's.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Cleanup, Sdks, Vendor, decodeSessionId, makeRsaKey, temporaryDirectory } from './support.mjs';

const project = { key: '47665971', secret: '0123456789abcdef0123456789abcdef01234567' };
const application = { id: '29f760f8-7ce1-46c9-ade3-f2dedee4ed5f', ...makeRsaKey() };
const cleanup = new Cleanup();
let vendor;
let sdks;

before(async () => {
    vendor = await Vendor.start(temporaryDirectory(cleanup), cleanup, { project, application });
    sdks = new Sdks(vendor, cleanup);
});
after(() => cleanup.run());

const openTok = (method, ...args) => sdks.call('opentok', { ...project, url: vendor.url }, method, ...args);
// The same package with the credentials of a Vonage application.
const openTokShim = (method, ...args) =>
    sdks.call('opentok', { key: application.id, secret: application.pem, url: vendor.url }, method, ...args);
const video = (method, ...args) =>
    sdks.call('@vonage/video', { id: application.id, pem: application.pem, url: vendor.url }, method, ...args);

async function checkSession(sessionId, { key, form, location = '', relayed = false }) {
    const began = Date.now();
    const recorded = (await vendor.sessions()).at(-1);
    assert.equal(recorded.id, sessionId);
    assert.equal(recorded.project_key, key);
    assert.deepEqual(new Map(recorded.fields), new Map(Object.entries(form)));

    const [version, owner, place, created, random, preference] = decodeSessionId(sessionId);
    assert.deepEqual([version, owner, place, preference], ['1', key, location, relayed ? 'P' : '']);
    assert.ok(Math.abs(Number(created) - began) < 60_000, created);
    assert.equal(random.length, 24);
    assert.match(sessionId, /^1_[A-Za-z0-9_-]{1,253}$/);
}

describe('opentok creates sessions', () => {
    const cases = {
        'with defaults': [{}, { archiveMode: 'manual', 'p2p.preference': 'enabled' }],
        routed: [{ mediaMode: 'routed' }, { archiveMode: 'manual', 'p2p.preference': 'disabled' }],
        relayed: [{ mediaMode: 'relayed' }, { archiveMode: 'manual', 'p2p.preference': 'enabled' }],
        'always archived': [
            { mediaMode: 'routed', archiveMode: 'always' },
            { archiveMode: 'always', 'p2p.preference': 'disabled' },
        ],
        'with a named archive': [
            {
                mediaMode: 'routed',
                archiveMode: 'always',
                archiveName: 'Weekly sync & co – ü',
                archiveResolution: '1280x720',
            },
            {
                archiveMode: 'always',
                archiveName: 'Weekly sync & co – ü',
                archiveResolution: '1280x720',
                'p2p.preference': 'disabled',
            },
        ],
        'near somewhere': [
            { mediaMode: 'routed', location: '12.34.56.78' },
            { location: '12.34.56.78', archiveMode: 'manual', 'p2p.preference': 'disabled' },
        ],
        'encrypted end to end': [
            { mediaMode: 'routed', e2ee: true },
            { e2ee: 'true', archiveMode: 'manual', 'p2p.preference': 'disabled' },
        ],
        'with everything that goes together': [
            {
                mediaMode: 'routed',
                archiveMode: 'always',
                archiveName: 'n',
                archiveResolution: '1080x1920',
                location: '255.255.255.255',
                e2ee: false,
            },
            {
                location: '255.255.255.255',
                archiveMode: 'always',
                archiveName: 'n',
                archiveResolution: '1080x1920',
                e2ee: 'false',
                'p2p.preference': 'disabled',
            },
        ],
    };
    for (const resolution of ['640x480', '480x640', '1280x720', '720x1280', '1920x1080', '1080x1920']) {
        cases[`archived at ${resolution}`] = [
            { mediaMode: 'routed', archiveMode: 'always', archiveResolution: resolution },
            { archiveMode: 'always', archiveResolution: resolution, 'p2p.preference': 'disabled' },
        ];
    }
    for (const [name, [options, form]] of Object.entries(cases)) {
        test(name, async () => {
            const session = await openTok('createSession', options);

            const relayed = form['p2p.preference'] === 'enabled';
            await checkSession(session.sessionId, { key: project.key, form, location: options.location, relayed });
            assert.equal(session.mediaMode, relayed ? 'relayed' : 'routed');
            assert.equal(session.archiveMode, form.archiveMode);
            assert.equal(session.location, options.location);
            // It refuses ids of another project.
            assert.ok(await openTok('generateToken', session.sessionId, {}, true));
        });
        test(`${name}, for an application`, async () => {
            const session = await openTokShim('createSession', options);

            const relayed = form['p2p.preference'] === 'enabled';
            await checkSession(session.sessionId, { key: application.id, form, location: options.location, relayed });
        });
    }
});

describe('@vonage/video creates sessions', () => {
    const cases = {
        'with nothing said': [undefined, {}],
        routed: [{ mediaMode: 'disabled' }, {}],
        relayed: [{ mediaMode: 'enabled' }, { 'p2p.preference': 'enabled' }],
        'always archived': [{ archiveMode: 'always' }, { archiveMode: 'always' }],
        'near somewhere': [{ location: '12.34.56.78' }, { location: '12.34.56.78' }],
        'with everything': [
            { mediaMode: 'disabled', archiveMode: 'always', location: '1.2.3.4' },
            { archiveMode: 'always', location: '1.2.3.4' },
        ],
    };
    for (const [name, [options, differs]] of Object.entries(cases)) {
        test(name, async () => {
            const session = await video('createSession', options);

            const form = { archiveMode: 'manual', location: 'null', 'p2p.preference': 'disabled', ...differs };
            const relayed = form['p2p.preference'] === 'enabled';
            await checkSession(session.sessionId, { key: application.id, form, location: options?.location, relayed });
            assert.deepEqual(session, {
                sessionId: session.sessionId,
                archiveMode: form.archiveMode,
                mediaMode: form['p2p.preference'],
                location: options?.location ?? null,
            });
        });
    }
});

describe('the SDKs disconnect somebody', () => {
    test('opentok', async () => {
        const { sessionId } = await openTok('createSession', {});
        const connection = await vendor.connect(sessionId);

        await openTok('forceDisconnect', sessionId, connection);

        assert.deepEqual((await vendor.sessions()).at(-1).connections, []);
        await assert.rejects(openTok('forceDisconnect', sessionId, connection), {
            message: 'Session or Connection not found',
        });
    });
    test('@vonage/video', async () => {
        const { sessionId } = await video('createSession');
        const connection = await vendor.connect(sessionId);

        await video('disconnectClient', sessionId, connection);

        assert.deepEqual((await vendor.sessions()).at(-1).connections, []);
        await assert.rejects(video('disconnectClient', sessionId, connection), {
            message: 'Request failed with status code 404',
        });
    });
});

describe('the SDKs are refused', () => {
    const refused = { message: 'Failed to createSession. Error: Invalid API key or secret' };
    async function lastReplyIs(status) {
        assert.equal((await vendor.requests()).at(-1).status, status);
    }

    test('opentok with a wrong secret', async () => {
        const account = { ...project, secret: project.secret.replace('0', '1'), url: vendor.url };
        await assert.rejects(sdks.call('opentok', account, 'createSession', {}), refused);
        await lastReplyIs(403);
    });
    test('opentok with an unknown key', async () => {
        const account = { ...project, key: '47665972', url: vendor.url };
        await assert.rejects(sdks.call('opentok', account, 'createSession', {}), refused);
        await lastReplyIs(403);
    });
    test('@vonage/video with the key of another application', async () => {
        const account = { id: application.id, pem: makeRsaKey().pem, url: vendor.url };
        await assert.rejects(sdks.call('@vonage/video', account, 'createSession'), {
            message: 'Request failed with status code 401',
        });
        await lastReplyIs(401);
    });
    test('@vonage/video with an unknown application', async () => {
        const account = { ...application, id: application.id.replace('29', '92'), url: vendor.url };
        await assert.rejects(sdks.call('@vonage/video', account, 'createSession'), {
            message: 'Request failed with status code 401',
        });
    });
    test('opentok with an archive name that has no archive', async () => {
        await assert.rejects(openTok('createSession', { mediaMode: 'routed', archiveName: 'x' }), {
            message:
                'Failed to createSession. Error: Unexpected response from OpenTok: ' +
                '"{"message":"Invalid archiveName: only with archiveMode always"}"',
        });
        await lastReplyIs(400);
    });
    test('opentok with a relayed session encrypted end to end', async () => {
        await assert.rejects(openTok('createSession', { e2ee: true }), {
            message:
                'Failed to createSession. Error: Unexpected response from OpenTok: ' +
                '"{"message":"Invalid e2ee: needs p2p.preference disabled"}"',
        });
    });
    test('@vonage/video with a relayed session that is always archived', async () => {
        await assert.rejects(video('createSession', { archiveMode: 'always', mediaMode: 'enabled' }), {
            message: 'Request failed with status code 400',
        });
    });
});

describe("the SDKs make of a fault what they make of the vendor's", () => {
    const unexpected = (message) =>
        `Failed to createSession. Error: Unexpected response from OpenTok: "${JSON.stringify({ message })}"`;
    // What opentok says, and @vonage/video; null is a session without an id, undefined is not asked.
    const cases = {
        too_many: [unexpected('Too many requests'), 'Request failed with status code 429'],
        server_error: [unexpected('Internal Server Error'), 'Request failed with status code 500'],
        bad_gateway: [/Unexpected response from OpenTok: .*502 Bad Gateway/, 'Request failed with status code 502'],
        unavailable: [unexpected(''), 'Request failed with status code 503'],
        gateway_timeout: [unexpected(''), 'Request failed with status code 504'],
        xml: [null, null],
        wrong_type: [null, null],
        missing_id: [null, null],
        empty_array: [
            "Failed to createSession. TypeError: Cannot read properties of undefined (reading 'session_id')",
            "Cannot read properties of undefined (reading 'session_id')",
        ],
        reset_connect: [/^Failed to createSession\. FetchError: request to /, 'fetch failed'],
        reset_before: [/^Failed to createSession\. FetchError: request to /, 'fetch failed'],
        reset_after: [/^Failed to createSession\. FetchError: request to /, 'fetch failed'],
        half_body: [undefined, 'Failed to decode response body'], // opentok's node-fetch 2 waits for ever for the rest
    };
    for (const [fault, [openTokSays, videoSays]] of Object.entries(cases)) {
        for (const [name, create, says] of [
            ['opentok', () => openTok('createSession', {}), openTokSays],
            ['@vonage/video', () => video('createSession'), videoSays],
        ]) {
            if (says === undefined) continue;
            test(`${fault}, ${name}`, async () => {
                await vendor.next(fault);

                if (says === null) assert.equal((await create()).sessionId, null);
                else await assert.rejects(create(), { message: says });
            });
        }
    }
    for (const fault of ['ok', 'skewed_date', { kind: 'delay', delay_ms: 20 }]) {
        test(`${fault.kind ?? fault} is none to them`, async () => {
            await vendor.next(fault, fault);

            assert.ok((await openTok('createSession', {})).sessionId);
            assert.ok((await video('createSession')).sessionId);
        });
    }
});

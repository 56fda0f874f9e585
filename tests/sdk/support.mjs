// SPDX-License-Identifier: Apache-2.0
import { execFile, fork, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

// More than anything here takes; without it a call that is never answered would leave our processes behind.
const patience = 60_000; // milliseconds

/** Where the programs are. */
export function program(name) {
    if (!process.env.USHER_BIN) throw new Error('USHER_BIN must name the folder of usherd and usher-vendor');
    return join(process.env.USHER_BIN, name);
}

/** What is to be undone when a suite ends, the last first. */
export class Cleanup {
    #steps = [];

    add(step) {
        this.#steps.push(step);
    }

    async run() {
        for (const step of this.#steps.splice(0).reverse()) await step();
    }
}

export function temporaryDirectory(cleanup) {
    const path = mkdtempSync(join(tmpdir(), 'usher-sdk-'));
    cleanup.add(() => rmSync(path, { recursive: true, force: true }));
    return path;
}

/** Writes a file that only its owner can read. */
export function writeSecret(path, text) {
    writeFileSync(path, text, { mode: 0o600 });
    return path;
}

export function makeRsaKey() {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
        modulusLength: 2048,
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    return { pem: privateKey, publicPem: publicKey };
}

/** Runs a program to its end: {status, stdout, stderr}. */
export function run(path, args, input = '') {
    return new Promise((resolve) => {
        const child = execFile(path, args, { maxBuffer: 1 << 26, timeout: patience }, (error, stdout, stderr) => {
            resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr });
        });
        child.stdin.on('error', () => {}); // it may end without reading
        child.stdin.end(input);
    });
}

function endWithUs(child, cleanup) {
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    cleanup.add(async () => {
        process.removeListener('exit', kill);
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
    });
}

/** The stand-in for the vendor, with one OpenTok project and one Vonage application. */
export class Vendor {
    static async start(directory, cleanup, { project, application }) {
        const secret = writeSecret(join(directory, 'vendor.secret'), project.secret);
        const key = writeSecret(join(directory, 'vendor.pem'), application.publicPem);
        const child = spawn(
            program('usher-vendor'),
            ['--dir', directory, '--opentok', `${project.key}:${secret}`, '--vonage', `${application.id}:${key}`],
            { stdio: ['ignore', 'pipe', 'inherit'] },
        );
        endWithUs(child, cleanup);
        const lines = createInterface({ input: child.stdout });
        const line = await Promise.race([
            once(lines, 'line'),
            once(child, 'exit').then(() => Promise.reject(new Error('usher-vendor ended at once'))),
            once(child, 'error').then(([error]) => Promise.reject(error)),
        ]);
        return new Vendor(JSON.parse(line[0]));
    }

    constructor({ url, ca_file: caFile }) {
        this.url = url;
        this.caFile = caFile;
        this.ca = readFileSync(caFile);
    }

    sessions() {
        return this.#control('GET', 'sessions');
    }

    requests() {
        return this.#control('GET', 'requests');
    }

    /** What happens to the next requests. */
    next(...faults) {
        return this.#control('POST', 'faults', { next: faults });
    }

    /** Has somebody join: the connection's id. */
    async connect(sessionId) {
        return (await this.#control('POST', 'connections', { session_id: sessionId })).connection_id;
    }

    #control(method, name, body) {
        return new Promise((resolve, reject) => {
            const options = { method, ca: this.ca, agent: false, timeout: patience };
            const request = https.request(`${this.url}/_vendor/${name}`, options, (response) => {
                let text = '';
                response.setEncoding('utf8');
                response.on('data', (chunk) => (text += chunk));
                response.on('end', () => {
                    if (response.statusCode !== 200) reject(new Error(`${name}: ${response.statusCode} ${text}`));
                    else resolve(JSON.parse(text));
                });
                response.on('error', reject);
            });
            request.on('error', reject);
            request.on('timeout', () => request.destroy(new Error(`${name}: no answer`)));
            request.end(body === undefined ? undefined : JSON.stringify(body));
        });
    }
}

/** The vendor's SDKs, in a process that trusts the stand-in. */
export class Sdks {
    #child;
    #waiting = new Map();
    #last = 0;

    constructor(vendor, cleanup) {
        this.#child = fork(fileURLToPath(new URL('sdk_process.mjs', import.meta.url)), [], {
            execArgv: [],
            env: { ...process.env, NODE_EXTRA_CA_CERTS: vendor.caFile, NODE_OPTIONS: '' },
        });
        endWithUs(this.#child, cleanup);
        this.#child.on('message', ({ id, value, error }) => {
            const { resolve, reject, timer } = this.#waiting.get(id);
            clearTimeout(timer);
            this.#waiting.delete(id);
            if (error) reject(Object.assign(new Error(error.message), { name: error.name }));
            else resolve(value);
        });
        this.#child.on('exit', () => {
            for (const { reject, timer } of this.#waiting.values()) {
                clearTimeout(timer);
                reject(new Error('the process of the SDKs ended'));
            }
        });
    }

    /** `account` is {key, secret, url} for opentok, {id, pem, url} for @vonage/video. */
    call(sdk, account, method, ...args) {
        const id = ++this.#last;
        return new Promise((resolve, reject) => {
            const timer = setTimeout(reject, patience, new Error(`${sdk} does not answer ${method}`));
            this.#waiting.set(id, { resolve, reject, timer });
            this.#child.send({ id, sdk, account, method, args });
        });
    }
}

export function decodeSessionId(id) {
    return Buffer.from(id.slice(2), 'base64url').toString('utf8').split('~');
}

export function decodeJwt(token) {
    const parts = token.split('.');
    if (parts.length !== 3) throw new Error(`not a JWT: ${parts.length} parts`);
    const [headerText, claimsText] = parts.slice(0, 2).map((part) => Buffer.from(part, 'base64url').toString('utf8'));
    return {
        header: JSON.parse(headerText),
        claims: JSON.parse(claimsText),
        claimsText,
        signed: parts.slice(0, 2).join('.'),
        signature: Buffer.from(parts[2], 'base64url'),
    };
}

/** `fields` are [name, value] as they stand in the signed text, which is percent-encoded. */
export function decodeT1(token) {
    if (!token.startsWith('T1==')) throw new Error('not a T1 token');
    const inner = Buffer.from(token.slice(4), 'base64').toString('utf8');
    const colon = inner.indexOf(':');
    const signed = inner.slice(colon + 1);
    return {
        envelope: new URLSearchParams(inner.slice(0, colon)),
        signed,
        fields: signed.split('&').map((field) => field.split(/=(.*)/s).slice(0, 2)),
    };
}

export function header(record, name) {
    return record.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value).join(', ');
}

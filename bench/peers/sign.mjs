// SPDX-License-Identifier: Apache-2.0
// How many tokens the vendor's SDKs sign in a second of processor time: a line `KIND RATE` each for t1, hs256 and rs256.
// usage: node sign.mjs SECONDS, of each kind; the claims are those of usher_micro.
import { generateKeyPairSync } from 'node:crypto';
import { Video } from '@vonage/video';
import OpenTok from 'opentok';

const seconds = Number(process.argv[2]);
const text = '1~47665971~~1700000000000~abcdefghijklmnopqrstuvwx~~~';
const session = `1_${Buffer.from(text).toString('base64url')}`;
const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const legacy = new OpenTok('47665971', '0123456789abcdef0123456789abcdef01234567');
const unified = new Video({ applicationId: '29f760f8-7ce1-46c9-ade3-f2dedee4ed5f', privateKey });

// The SDKs may write into their options: each call has its own.
const options = () => ({ role: 'publisher', expireTime: Math.floor(Date.now() / 1000) + 3600, data: '{"id":123}' });
const kinds = {
    t1: () => legacy.generateToken(session, options(), true),
    hs256: () => legacy.generateToken(session, options()),
    rs256: () => unified.generateClientToken(session, options()),
};

const used = () => {
    const { user, system } = process.cpuUsage(); // microseconds
    return (user + system) / 1e6;
};

for (const [kind, sign] of Object.entries(kinds)) {
    const expected = kind === 't1' ? /^T1==/ : /^[\w-]+\.[\w-]+\.[\w-]+$/;
    if (!expected.test(sign())) throw new Error(`the SDK makes no ${kind} token`);
    for (const end = used() + seconds / 2; used() < end; ) sign(); // until it is compiled
    let count = 0;
    const start = used();
    let spent = 0;
    while (spent < seconds) {
        for (let i = 0; i < 100; ++i) sign();
        count += 100;
        spent = used() - start;
    }
    console.log(`${kind} ${count / spent}`);
}

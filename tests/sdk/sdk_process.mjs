// SPDX-License-Identifier: Apache-2.0
// Runs the vendor's SDKs in a process of its own: node reads NODE_EXTRA_CA_CERTS only when it starts, and the stand-in
// makes a new authority each time. Takes {id, sdk, account, method, args}, answers {id, value} or {id, error}.
import { promisify } from 'node:util';
import { Video } from '@vonage/video';
import OpenTok from 'opentok';

function openTok({ key, secret, url }) {
    const sdk = new OpenTok(key, secret, url);
    return {
        async createSession(options) {
            const { ot, ...session } = await promisify(sdk.createSession).call(sdk, options);
            return { ...session, sessionId: session.sessionId ?? null };
        },
        generateToken: (...args) => sdk.generateToken(...args),
        forceDisconnect: (...args) => promisify(sdk.forceDisconnect)(...args),
    };
}

function video({ id, pem, url }) {
    const sdk = new Video({ applicationId: id, privateKey: pem }, { videoHost: url });
    return {
        async createSession(options) {
            const session = await sdk.createSession(options);
            return { ...session, sessionId: session.sessionId ?? null };
        },
        generateClientToken: (...args) => sdk.generateClientToken(...args),
        disconnectClient: (...args) => sdk.disconnectClient(...args),
    };
}

const sdks = { opentok: openTok, '@vonage/video': video };

process.on('message', async ({ id, sdk, account, method, args }) => {
    try {
        process.send({ id, value: await sdks[sdk](account)[method](...args) });
    } catch (error) {
        process.send({ id, error: { name: error.name, message: error.message } });
    }
});

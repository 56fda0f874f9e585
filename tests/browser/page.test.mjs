// usage: node --test page.test.mjs, with USHERD and USHERCTL: the status page in Chromium, in every state, at three
// sizes, light and dark. Screenshots go to USHER_SCREENSHOTS, if that is set.
import assert from 'node:assert/strict';
import {spawn, execFileSync} from 'node:child_process';
import {createServer, get} from 'node:http';
import {mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {chromium} from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const source = readFileSync(new URL('../../daemon/page.html', import.meta.url), 'utf8');
const words = ['failed', 'at_risk', 'on_schedule', 'ready'];
const start = Date.parse('2026-03-02T09:20:00Z');
const iso = (milliseconds) => new Date(milliseconds).toISOString().replace('.000', '');
const counts = (some = {}) => Object.fromEntries(words.map((word) => [word, some[word] || 0]));

function picture(more = {}) {
  return {
    version: 1, usher: '1.0.0', database: '3fa9c1d2', sampled_at: iso(start), verdict: 'all_well',
    sentence: 'All well: 13 of 13 of the next hour ready; safe until 18:00 UTC', ready: true,
    windows: {open: counts({ready: 5}), '15m': counts({ready: 7}), '1h': counts({ready: 13}), '24h': counts({ready: 13, on_schedule: 26})},
    quarters: Array.from({length: 96}, (_, i) => ({from: iso(start + i * 900_000), ...counts(i < 4 ? {ready: 2} : i % 5 === 0 ? {on_schedule: 2} : {}),
      token_ends: i === 10 ? 40 : 0, planned: {tokens: i % 5 === 0 ? 18 : 0, calls: i % 7 === 0 ? 9 * i : 0, quota_share: i % 7 === 0 ? i / 200 : 0}})),
    planned_at: iso(start - 20_000),
    due: 0, next_work_at: iso(start + 1_620_000), safe_until: iso(start + 31_200_000), people_not_served: 0,
    groups: {total: 0, items: []}, findings: [],
    projects: [{project: 'default', provider: 'opentok', reason: '', detail: '', next_probe_at: null, clock_ahead_s: 0, tokens: 300, tokens_of_old_key: 87}],
    store: [{name: 'file_bytes', value: 1234567, unit: 'bytes', sentence: 'size of the database', concern: ''}],
    daemon: {who: 'pid 812 on app1', looked_at: iso(start - 3000)}, ...more};
}
function group(word, reason, ids, total = ids.length) {
  return {word, reason, detail: 'the vendor does not answer', project: 'partner', since: iso(start - 60_000), next_attempt_at: iso(start + 22_000),
    meetings: {total, items: ids.map((meeting) => ({meeting, opens_at: iso(start + 600_000)}))}};
}
const hostile = '<img src=x onerror="window.broken=1">\u202Etxt.exe' + 'm'.repeat(300);
const states = {
  well: picture(),
  at_risk: picture({verdict: 'at_risk', ready: false, sentence: 'AT RISK: 6 meetings (provider_unreachable, project partner); next try 09:20 UTC',
    windows: {open: counts({ready: 5}), '15m': counts({ready: 5, at_risk: 2}), '1h': counts({ready: 6, at_risk: 2}), '24h': counts({ready: 6, at_risk: 6, on_schedule: 22})},
    groups: {total: 1, items: [group('at_risk', 'provider_unreachable', ['track-b-1', 'track-b-2'], 6)]},
    findings: [{id: 'circuit_open', severity: 'critical', project: 'partner', text: 'provider_unreachable: api.opentok.com:443', way_out: 'usherctl status', hides: ['meetings_at_risk']}]}),
  failed: picture({verdict: 'failing', ready: false, sentence: 'FAILED: 99 meetings, 1 live (unknown_project, project lessons); run usherctl status',
    windows: {open: counts({failed: 1}), '15m': counts({failed: 1}), '1h': counts({failed: 3}), '24h': counts({failed: 99})},
    quarters: picture().quarters.map((quarter, i) => ({...quarter, failed: 1, planned: {tokens: 5, calls: 600, quota_share: i === 20 ? 1.8 : 0.4}})),
    groups: {total: 1, items: [group('failed', 'unknown_project', [hostile, 'lesson-2', 'lesson-3'], 99)]},
    findings: [{id: 'meetings_failed', severity: 'critical', project: 'lessons', text: hostile, way_out: 'usherctl status', hides: []},
      {id: 'no_real_meetings', severity: 'note', project: 'demo', text: 'its tokens open no real meeting', way_out: 'name a provider', hides: []}]}),
  empty: picture({sentence: 'All well: no meeting is live or opens within the next hour', safe_until: null, next_work_at: null, projects: [],
    windows: {open: counts(), '15m': counts(), '1h': counts(), '24h': counts()}, planned_at: null,
    quarters: picture().quarters.map((quarter) => ({from: quarter.from, ...counts(), token_ends: 0, planned: {tokens: null, calls: null, quota_share: null}}))}),
  many: picture({verdict: 'failing', ready: false, sentence: 'FAILED: 10000 meetings (row_invalid, project default); run usherctl status',
    windows: {open: counts(), '15m': counts(), '1h': counts({failed: 10000}), '24h': counts({failed: 10000})},
    groups: {total: 100, items: Array.from({length: 50}, (_, i) => group('failed', 'row_invalid', ['a' + i, 'b' + i], 200))}}),
};
const sizes = [[375, 812], [768, 1024], [1200, 900]];

let server, browser, shown = states.well, answers = true;
before(async () => {
  server = createServer((request, response) => {
    if (!answers) return response.destroy();
    if (request.url === '/status.json') {
      response.setHeader('Content-Type', 'application/json');
      response.setHeader('Usher-Sample-Age', '1');
      return response.end(JSON.stringify(shown));
    }
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Security-Policy', "default-src 'none'; script-src 'nonce-n'; style-src 'nonce-n'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.end(source.replaceAll('{{nonce}}', 'n').replaceAll('{{sentence}}', 'usherd is starting.'));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  browser = await chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox']});
});
after(async () => {
  await browser.close();
  server.close();
});

/// A page whose every complaint is an error.
async function open(address, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text()); });
  await page.goto(address);
  return {page, context, complaints};
}
const address = () => `http://127.0.0.1:${server.address().port}/`;
const heard = (page) => page.waitForSelector('h1[data-verdict]');

for (const state of Object.keys(states))
  for (const [width, height] of sizes)
    for (const colorScheme of ['light', 'dark'])
      test(`${state}, ${width} wide, ${colorScheme}`, async () => {
        shown = states[state];
        const {page, context, complaints} = await open(address(), {viewport: {width, height}, colorScheme, reducedMotion: 'reduce'});
        await heard(page);
        assert.equal(await page.textContent('h1'), states[state].sentence);
        assert.equal(await page.evaluate(() => window.broken), undefined);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'it scrolls sideways');
        if (process.env.USHER_SCREENSHOTS) {
          mkdirSync(process.env.USHER_SCREENSHOTS, {recursive: true});
          await page.screenshot({path: join(process.env.USHER_SCREENSHOTS, `${state}-${width}-${colorScheme}.png`), fullPage: state !== 'many'});
        }
        assert.deepEqual(complaints, []); // axe is not held to the page's own rules
        const found = await page.evaluate(`${axe}; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice']})`);
        assert.deepEqual(found.violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(' ')}`), []);
        await context.close();
      });

test('what is planned is drawn, and told in words', async () => {
  shown = states.failed;
  const {page, context, complaints} = await open(address(), {viewport: {width: 1200, height: 900}});
  await heard(page);
  assert.equal(await page.locator('#day rect.ends').count(), 1);
  assert.equal(await page.locator('#day rect.work').count(), 95);
  assert.equal(await page.locator('#day rect.too_much').count(), 1);
  assert.match(await page.textContent('#day-summary'), /40 tokens end before their meetings do.*57600 calls to vendors, at most 180 % of a quota/);
  await page.click('summary');
  assert.match(await page.textContent('#day-table'), /180 %/);
  shown = states.empty;
  await page.locator('#day-summary', {hasText: 'No token ends'}).waitFor({timeout: 20_000});
  assert.equal(await page.locator('#day rect.work').count(), 0);
  assert.match(await page.textContent('#day'), /not counted yet/);
  assert.deepEqual(complaints, []);
  await context.close();
});

test('the keyboard reaches everything, in the order of the page', async () => {
  shown = states.well;
  const {page, context} = await open(address());
  await heard(page);
  const order = [];
  for (let i = 0; i < 5; ++i) {
    await page.keyboard.press('Tab');
    order.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className || document.activeElement.tagName));
  }
  assert.deepEqual(order, ['skip', 'SUMMARY', 'vendors', 'store', 'BODY']);
  await context.close();
});

test('what has the focus keeps it when the picture changes', async () => {
  shown = states.well;
  const {page, context} = await open(address());
  await heard(page);
  await page.focus('summary');
  shown = states.at_risk;
  await page.waitForSelector('h1[data-verdict=at_risk]', {timeout: 20_000});
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SUMMARY');
  assert.equal(await page.textContent('#spoken'), states.at_risk.sentence);
  await context.close();
});

test('a picture that is old says so, and heals alone', async () => {
  shown = states.well;
  const {page, context} = await open(address());
  await heard(page);
  assert.equal(await page.isHidden('#stale'), true);
  answers = false;
  await page.evaluate(() => { shownAt -= 60_000; });
  await page.waitForSelector('#stale:not([hidden])');
  assert.match(await page.textContent('#stale'), /^This picture is \d+ s old: usherd does not answer/);
  assert.equal(await page.textContent('h1'), states.well.sentence); // the last values stay
  answers = true;
  await page.waitForSelector('#stale', {state: 'hidden', timeout: 20_000});
  await context.close();
});

test('without scripts the verdict is there', async () => {
  const {page, context} = await open(address(), {javaScriptEnabled: false});
  assert.equal(await page.textContent('h1'), 'usherd is starting.');
  await context.close();
});

test('usherd serves it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'usher-browser-'));
  const database = join(folder, 'usher.db');
  const port = await new Promise((done) => {
    const free = createServer();
    free.listen(0, '127.0.0.1', () => { const {port} = free.address(); free.close(() => done(port)); });
  });
  writeFileSync(join(folder, 'usher.yaml'), `database: ${database}\nprojects: {default: {provider: sandbox}}\nstatus: {listen: 127.0.0.1:${port}}\n`);
  const now = Date.now();
  writeFileSync(join(folder, 'm.csv'), `external_id,title,starts_at_utc,ends_at_utc\nlesson,,${iso(now - now % 1000 + 600_000)},${iso(now - now % 1000 + 1_200_000)}\n`);
  writeFileSync(join(folder, 'p.csv'), 'meeting_external_id,external_id,display_name,role\nlesson,ann,Canary Name,publisher\n');
  const control = (...options) => execFileSync(process.env.USHERCTL, ['--db', database, ...options]);
  control('init');
  control('import', '--meetings', join(folder, 'm.csv'), '--participants', join(folder, 'p.csv'));
  const daemon = spawn(process.env.USHERD, ['--config', join(folder, 'usher.yaml')], {stdio: 'ignore'});
  try {
    const answers = () => new Promise((done) => get(`http://127.0.0.1:${port}/readyz`, (answer) => { answer.resume(); done(answer.statusCode === 200); }).on('error', () => done(false)));
    const until = Date.now() + 60_000;
    while (!await answers()) assert.ok(Date.now() < until, 'usherd does not get ready');
    const {page, context, complaints} = await open(`http://127.0.0.1:${port}/`);
    await heard(page);
    assert.equal(await page.getAttribute('h1', 'data-verdict'), 'all_well');
    const everything = await page.content();
    assert.ok(!everything.includes('Canary Name') && !everything.includes('eyJ'), 'a name or a token is shown');
    assert.deepEqual(complaints, []);
    await context.close();
  } finally {
    daemon.kill('SIGKILL');
    rmSync(folder, {recursive: true});
  }
});

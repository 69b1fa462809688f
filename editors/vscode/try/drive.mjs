// Drives the extension in Visual Studio Code as a page (code-server) in headless Chromium: node drive.mjs URL SCREENSHOT.
// The page has a copy of examples/hello open. Ends non-zero at the first thing that does not happen.

import puppeteer from 'puppeteer-core';

const [url, screenshot] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
  defaultViewport: { width: 1200, height: 800 },
});
const page = await browser.newPage();

/** Waits until the page says yes. */
async function until(what, holds, ...about) {
  await page.waitForFunction(holds, { timeout: 30_000, polling: 100 }, ...about).catch(() => {
    throw new Error(`never seen: ${what}`);
  });
  console.log(`seen: ${what}`);
}

/** Presses keys together. */
async function chord(...keys) {
  for (const key of keys) await page.keyboard.down(key);
  for (const key of keys.reverse()) await page.keyboard.up(key);
}

const shown = () => until('a list to choose from', () => document.querySelector('.quick-input-widget:not([style*="display: none"]) input'));
const has = (text) => [(wanted) => document.querySelector('.view-lines')?.innerText.replace(/\u00a0/g, ' ').includes(wanted), text];
const errors = (count) => [(wanted) => document.querySelectorAll('.squiggly-error').length === wanted, count];

async function command(name, first) {
  await page.keyboard.press('F1');
  await shown();
  await page.keyboard.type(name);
  await until(`the command ${name}`, (text) => document.querySelector('.quick-input-list .monaco-list-row')?.ariaLabel.startsWith(text), first ?? name);
  await page.keyboard.press('Enter');
}

async function goTo(place) {
  await chord('Control', 'g');
  await shown();
  await page.keyboard.type(place);
  await page.keyboard.press('Enter');
  await until('the editor has the keys', () => document.activeElement?.closest('.monaco-editor'));
}

try {
  await page.goto(url, { timeout: 120_000 });
  await until('the workbench', () => document.querySelector('.monaco-workbench .explorer-viewlet .monaco-list-row'));
  await chord('Control', 'p');
  await shown();
  await page.keyboard.type('main.imm');
  await until('the file to open', () => document.querySelector('.quick-input-list .monaco-list-row')?.ariaLabel.startsWith('main.imm'));
  await page.keyboard.press('Enter');
  await until('the program', ...has('param greeting'));
  await until('colours of the grammar and of the server', () => new Set([...document.querySelectorAll('.view-line span span')].map((word) => word.className)).size > 5);

  await goTo('16:17');
  await page.keyboard.type('q');
  await until('a mistake, where it is', ...errors(1));
  await chord('Control', '.');
  await until('a fix for it', () => [...document.querySelectorAll('.action-widget .monaco-list-row')].some((row) => row.innerText.includes('app')));
  await page.keyboard.press('Enter');
  await until('the fix, applied', ...errors(0));

  await goTo('5:8');
  await page.keyboard.press('F2');
  await until('what to rename', () => document.activeElement?.closest('.rename-box') && document.activeElement.value === 'replicas');
  await page.keyboard.type('copies');
  await page.keyboard.press('Enter');
  await until('the param renamed', ...has('param copies'));
  await until('its uses renamed', ...has('replicas = copies'));

  await goTo('12:3');
  await page.keyboard.type('      ');
  await command('Format Document');
  await until('the text laid out', ...has('\n  cmd = ['));

  await goTo('20:1');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.keyboard.type('en');
  await until('a field to complete', () => [...document.querySelectorAll('.suggest-widget .monaco-list-row')].some((row) => row.ariaLabel.startsWith('env')));
  if (screenshot) await page.screenshot({ path: screenshot });
  await page.keyboard.press('Escape');

  await command('imm: Show the plan');
  await until('the terminal of imm', () => document.querySelector('.terminal-wrapper .xterm'));
  console.log('all of it');
} catch (error) {
  await page.screenshot({ path: 'failed.png' });
  console.error(String(error.message ?? error));
  process.exitCode = 1;
} finally {
  await browser.close();
}

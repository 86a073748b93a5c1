// Makes the channels of the settings: reads their secrets from files, and says everything that is wrong at once.

import { readFile } from 'node:fs/promises';
import { kindOf } from '../config-channels.ts';
import type { ChannelConfig } from '../config-channels.ts';
import { ControlError } from '../errors.ts';
import type { Channel } from './channel.ts';
import { reasonOf } from './http-post.ts';
import { mailChannel } from './mail.ts';
import { slackChannel } from './slack.ts';
import { webhookChannel } from './webhook.ts';

/** @throws {ControlError} CONFIG_INVALID with a line for each channel that cannot be made. */
export async function openChannels(configs: Readonly<Record<string, ChannelConfig>>, { org, now }: { readonly org: string; readonly now: () => number }): Promise<readonly Channel[]> {
  const problems: string[] = [];
  const channels: Channel[] = [];
  for (const [name, config] of Object.entries(configs)) {
    try {
      channels.push(await open(name, config, org, now));
    } catch (cause) {
      problems.push(`channels.${name}: ${reasonOf(cause)}`);
    }
  }
  if (problems.length > 0) throw new ControlError('CONFIG_INVALID', problems.join('\n'));
  return channels;
}

async function open(name: string, config: ChannelConfig, org: string, now: () => number): Promise<Channel> {
  const { webhook, slack, mail } = config;
  if (kindOf(config) === undefined) throw new Error('name exactly one of webhook, slack and mail');
  if (webhook !== undefined) return webhookChannel(name, webhook.url, await secret(webhook.secretFile), now);
  if (slack !== undefined) return slackChannel(name, httpUrl(await secret(slack.urlFile), slack.urlFile), now);
  if (mail === undefined) throw new Error('name exactly one of webhook, slack and mail');
  return mailChannel(name, mail, mail.passwordFile === undefined ? undefined : await secret(mail.passwordFile), org);
}

async function secret(path: string): Promise<string> {
  const text = (await readFile(path, 'utf8')).trim();
  if (text === '') throw new Error(`${path} is empty`);
  return text;
}

function httpUrl(text: string, path: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new Error(`${path} does not hold a URL such as https://hooks.example.org/…`);
  return text;
}

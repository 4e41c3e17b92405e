import type { PasswordTokenPurpose } from '../password/password-token.js';
import type { Recipient } from './mail.repository.js';
import type { Mail } from './smtp.client.js';

/** What somebody is sent whose password was changed, so that he hears of it where it was not he. */
export function changedMail(to: Recipient): Mail {
  const lines = [
    `The password of your account in ${to.workspaceName} was changed, and all other sessions were ended.`,
    'If it was not you, ask for a new password at once, or tell your administrator.',
  ];
  return { to: to.email, subject: 'Your password was changed', text: [...lines, ''].join('\n') };
}

/** What somebody is sent who is to set a password. */
export function passwordMail(purpose: PasswordTokenPurpose, to: Recipient, link: string, ttlSeconds: number): Mail {
  const lines = purpose === 'RESET' ? resetLines(to.workspaceName) : invitationLines(to.workspaceName);
  const subject = purpose === 'RESET' ? 'Your new password' : `You are invited to ${to.workspaceName}`;
  const text = [...lines, '', link, '', `The link is good once, for ${inWords(ttlSeconds)}.`, ''].join('\n');
  return { to: to.email, subject, text };
}

function resetLines(workspace: string): string[] {
  return [
    `Somebody, most likely you, wants to set a new password for your account in ${workspace}.`,
    'If it was not you, there is nothing to do: your password stays as it is.',
  ];
}

function invitationLines(workspace: string): string[] {
  return [`You have got an account in ${workspace}. Set a password to begin:`];
}

function inWords(seconds: number): string {
  const [count, unit] =
    seconds >= 172_800
      ? [Math.floor(seconds / 86_400), 'days']
      : seconds >= 7_200
        ? [Math.floor(seconds / 3_600), 'hours']
        : [Math.max(1, Math.floor(seconds / 60)), 'minutes'];
  return `${count} ${unit}`;
}

import { createTransport } from 'nodemailer';

const connect = () => createTransport({ pool: true, host: '127.0.0.1', port: Number(process.env.SMTP_PORT) });
let mail = connect();
const send = (n) =>
  mail.sendMail({ from: 'a@example.com', to: 'b@example.com', subject: `n ${n}`, text: '' });
if (process.env.TRY !== 'lazy') await send(0); // its connection is kept

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => mail.close() : undefined;
export const afterFork = hooks
  ? () => {
      mail = connect();
    }
  : undefined;

class Try {
  async run({ n }) {
    const { response } = await send(n);
    return { n: Number(/ subject (\d+)/.exec(response)?.[1]) };
  }
}
export const jobs = { Try };

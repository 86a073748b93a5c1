// Where the browser begins: one interface, put on the page.

import { render } from 'preact';
import { App } from './app.tsx';
import { createUi } from './ui.ts';

const place = document.getElementById('app');
if (place !== null) render(<App ui={createUi()} />, place);

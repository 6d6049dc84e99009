// What a page loads of Sentry's browser SDK; bundled by esbuild.
import * as Sentry from '@sentry/browser';

window.Sentry = Sentry;

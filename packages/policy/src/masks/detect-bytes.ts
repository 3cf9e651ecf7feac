/** Byte classes and types the detectors share. */

import type { Detector } from './spec.ts'

export type Enabled = Readonly<Record<Detector, boolean>>

export interface Found {
  readonly kind: Detector
  readonly start: number
  readonly end: number
}

export const isDigitByte = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
export const isAlnum = (byte: number): boolean =>
  isDigitByte(byte) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
/** base64url: what keys and tokens are written in. */
export const isToken = (byte: number): boolean => isAlnum(byte) || byte === 0x2d || byte === 0x5f
